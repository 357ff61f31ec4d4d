void loud(void);
int main(void) {
  loud();
  return 0;
}
