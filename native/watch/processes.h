/* When processes end that are nobody's children here. */
#ifndef TERMITE_PROCESSES_H
#define TERMITE_PROCESSES_H

#include <stdbool.h>
#include <stdint.h>

/* A descriptor that is readable when a watched process has ended; close-on-exec. -errno. */
int processes_open(void);

/* 0, or -errno: -ESRCH when it has ended already. */
int processes_watch(int fd, uint32_t id, uint32_t process);

/* The id of one that has ended, which is no longer watched then. False when there is none. */
bool processes_take_ended(int fd, uint32_t *id);

#endif
