/* Process ids that differ from job to job, as they do from command to command outside: names are made of them. */
#ifndef TERMITE_PIDS_H
#define TERMITE_PIDS_H

#include <stdint.h>

/*
 * From now on processes of our pid namespace are numbered from a place that depends on the job's number. To be called with
 * CAP_SYS_ADMIN over the namespace and a writable /proc of it; where that cannot be had, numbers begin at 2 as usual.
 */
void pids_begin(uint32_t job_number);

#endif
