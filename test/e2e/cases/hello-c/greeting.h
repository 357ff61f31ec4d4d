#define GREETING "hello world"
