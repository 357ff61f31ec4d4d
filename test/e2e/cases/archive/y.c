int y(void) { return -1; }
