/* What a job wrote: the upper directory of its overlay, as entries of DONE. */
#ifndef TERMITE_HARVEST_H
#define TERMITE_HARVEST_H

#include "frame.h"

#include <sys/types.h>

/*
 * Puts list<entry> (wire.h, BOX_DONE) of all that lies below the directory `upper` in `parent` into the frame: parents
 * before children, names of a directory sorted. The directory itself is an entry with the path "" only when its mode is
 * not root_mode. After an entry was taken, file and directory are made readable for us. 0 or -errno, *path (malloc'ed,
 * may be NULL) then says where.
 */
int harvest(struct frame_out *out, int parent, const char *upper, mode_t root_mode, char **path);

#endif
