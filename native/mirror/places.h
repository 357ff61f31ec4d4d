/*
 * The places that a job has for itself: /tmp and its like. The project mirror shows them empty but for directories that
 * have to be there, and they are the lower layer of an overlay. So every name that the job looks for there and did not
 * make itself reaches the mirror, and its trace tells what may have been hidden from the job.
 */
#ifndef TERMITE_PLACES_H
#define TERMITE_PLACES_H

#include "mirror.h"

struct shown_directory {
	const char *path; /* absolute and clean */
	uint32_t mode;    /* permission bits */
};

/* Whether a path lies in one of the places, or is one. */
bool places_contain(const char *path);

/* Whether it is one of the places, or a directory on the way to one. */
bool places_lead_through(const char *path);

/*
 * Makes `top` the root of a tree with the places, and with those of the directories that lie in one. Paths must outlive
 * the mirror. 0 or -ENOMEM.
 */
int places_make(struct mirror *mirror, struct node *top, const struct shown_directory *shown, size_t count);

#endif
