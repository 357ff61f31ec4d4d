#include <stdio.h>
#include <v.h>
int main(void) { return printf("%d\n", V) < 0; }
