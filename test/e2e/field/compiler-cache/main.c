int printf(const char *, ...);
extern int part;
int main(void) { return printf("%d\n", part) < 0; }
