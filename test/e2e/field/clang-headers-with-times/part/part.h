#define PART 40
