#include <stdio.h>
#define NUMBER 7
