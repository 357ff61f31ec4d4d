#include "all.h"
int main(void) { return printf("%d\n", NUMBER) < 0; }
