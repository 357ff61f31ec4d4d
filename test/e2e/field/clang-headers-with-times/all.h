#include <stdio.h>
#define NUMBER 7
int second(void);
