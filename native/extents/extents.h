/* The parts of a file that hold data, as its file system tells: lseek(2), SEEK_DATA and SEEK_HOLE. */
#ifndef TERMITE_EXTENTS_H
#define TERMITE_EXTENTS_H

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

/* Takes one part, from its first byte to the one after its last. False ends with -EIO. */
typedef bool extent_taker(void *to, off_t start, off_t end);

/*
 * All parts in order; those with a hole of fewer than `least` bytes between them come as one. A file system that does not know
 * holes gives the whole file. 0 or -errno.
 */
int extents_of(int fd, off_t least, extent_taker *take, void *to);

#endif
