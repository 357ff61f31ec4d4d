/* What a job left outside of its project, where it is going to be thrown away. */
#ifndef TERMITE_OUTSIDE_H
#define TERMITE_OUTSIDE_H

#include "plan.h"

#define OUTSIDE_MAX 100

/*
 * Writes absolute paths, each with its NUL, into a malloc'ed buffer: what is in the writable layers of the job's own
 * places and of its home directory (O_PATH descriptors, -1: none), at most OUTSIDE_MAX, in no particular order. A name that
 * the job removed stands there, too. A directory without anything has a slash behind it: it may have been there before,
 * and only somebody who knows the machine can tell. Empty also when out of memory.
 */
struct bytes outside_list(const struct plan *plan, const struct job_request *request, int places, int home);

#endif
