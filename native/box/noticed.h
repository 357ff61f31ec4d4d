/* What the sandbox's init notices of a job, as the supervisor takes it, see notice.h. */
#ifndef TERMITE_NOTICED_H
#define TERMITE_NOTICED_H

#include "frame.h"
#include "project.h"

struct noticed {
	unsigned char *data; /* records that count are data[0..taken), what has not been looked at data[taken..length) */
	size_t taken, length;
	uint32_t count;
	bool needs_network; /* of its own */
};

/* Reads what is in the pipe. 0 at its end, 1, or -errno. */
int noticed_read(struct noticed *noticed, int pipe);

/*
 * Looks at what has come. Locks of files that nobody else sees do not count: new ones of the project, and those in the job's own
 * places. Answers whether the job's result is of no use, so that it can be ended.
 */
bool noticed_judge(struct noticed *noticed, struct project *project, const char *project_root);

/* Adds one that counts, before all that has not been looked at. 0 or -ENOMEM. */
int noticed_add(struct noticed *noticed, uint32_t kind, const char *text);

/* Puts list<u32 NOTICED_*, bytes> into the frame. */
void noticed_put(const struct noticed *noticed, struct frame_out *out);
void noticed_free(struct noticed *noticed);

#endif
