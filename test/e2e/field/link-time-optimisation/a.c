int add(int, int);
int printf(const char *, ...);
int main(void) { return printf("%d\n", add(1, 2)) < 0; }
