#include <stdio.h>
void loud(void) { puts("hello"); }
