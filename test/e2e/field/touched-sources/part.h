#define PART 1
int part(void);
