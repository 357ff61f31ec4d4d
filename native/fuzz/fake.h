/* See fake.c. */
#ifndef TERMITE_FAKE_H
#define TERMITE_FAKE_H

#include "../mirror/mirror.h"

/* What the kernel asks, as a frame of any other type than those that the mirror knows: u32 opcode; u32 node; the arguments. */
void fake_fuse(struct mirror *mirror, struct bytes payload);

/* What every variable of the environment is, or NULL. */
extern const char *fake_variable;

/* After the mirror is freed: each request that has an answer must have got one. */
void fake_end(void);

#endif
