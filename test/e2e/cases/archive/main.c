int x(void), y(void); int main(void) { return x() + y(); }
