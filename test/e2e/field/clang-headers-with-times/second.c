#include "part.h"
int second(void) { return PART; }
