int main(void) { return printf("%d\n", NUMBER + second()) < 0; }
