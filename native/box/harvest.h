/* What a job wrote: the upper directory of its overlay, as entries of DONE. */
#ifndef TERMITE_HARVEST_H
#define TERMITE_HARVEST_H

#include "frame.h"

/*
 * Puts list<entry> (wire.h, BOX_DONE) of all that lies below the directory `upper` in `parent` into the frame: parents
 * before children, names of a directory sorted; the directory itself is the first, with the path "". After an entry was taken,
 * file and directory are made readable for us. 0 or -errno, *path (malloc'ed, may be NULL) then says where.
 */
int harvest(struct frame_out *out, int parent, const char *upper, char **path);

#endif
