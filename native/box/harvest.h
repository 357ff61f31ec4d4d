/*
 * What a job wrote: the upper directory of its overlay, as entries of DONE. By now all processes of the job are dead; but were one
 * alive with a directory of the layer open, it could neither lead us out of the layer nor have us take a file that it does not have.
 */
#ifndef TERMITE_HARVEST_H
#define TERMITE_HARVEST_H

#include "frame.h"

#include <stdbool.h>

/*
 * Puts list<entry> (wire.h, BOX_DONE) of all that lies below JOB_UPPER in the job directory into the frame: parents before
 * children, names of a directory sorted; the directory itself is the first, with the path "". Files that have content then have
 * another name, their inode's number, in JOB_CONTENT, and are readable for their owner. 0 or -errno, ESTALE for a layer that somebody
 * changes; *path (malloc'ed, may be NULL) then says where.
 */
int harvest(struct frame_out *out, int job_directory, bool is_rootful, char **path);

#endif
