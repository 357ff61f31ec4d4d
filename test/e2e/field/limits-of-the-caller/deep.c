/* Needs 20 MiB of stack. */
#include <string.h>
int main(void) {
  char much[20 << 20];
  memset(much, 1, sizeof much);
  return much[sizeof much / 2] - 1;
}
