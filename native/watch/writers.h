/*
 * Who has a file open for writing may also have it mapped, and stores to a mapping leave neither event nor, on a page that
 * is dirty already, a new time. The kernel tells by refusing a lease. Source: fcntl(2), F_SETLEASE.
 */
#ifndef TERMITE_WRITERS_H
#define TERMITE_WRITERS_H

#include <stdbool.h>

/*
 * To be called once: somebody who opens a file in the instant in which we hold a lease on it makes the kernel tell us so by
 * SIGIO, which would end us.
 */
void writers_init(void);

/* Whether somebody has the file open for writing; false also when that cannot be told, as of files of other users. */
bool writers_has(const char *path);

#endif
