/* What a job left outside of its project, where it is going to be thrown away: paths to tell the user. */
#ifndef TERMITE_OUTSIDE_H
#define TERMITE_OUTSIDE_H

#include "plan.h"

#define OUTSIDE_MAX 100

/*
 * Writes absolute paths, each with its NUL, into a malloc'ed buffer: files and empty directories in the plan's places
 * and in the writable layer of the home directory (home, an O_PATH descriptor or -1), at most OUTSIDE_MAX, in no
 * particular order. What was made for the project or the home directory to stand on is left out. Empty also when out
 * of memory.
 */
struct bytes outside_list(const struct plan *plan, const struct job_request *request, int home);

#endif
