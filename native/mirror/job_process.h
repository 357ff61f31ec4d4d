/* Which job a request comes from, of all that share a mirror. */
#ifndef TERMITE_JOB_PROCESS_H
#define TERMITE_JOB_PROCESS_H

#include <signal.h>
#include <stdint.h>
#include <sys/types.h>

/* Tells a supervisor to end its job: it was refused something, so that its result is of no use. */
#define LIMIT_SIGNAL SIGUSR1

/*
 * The supervisor of the job that a thread belongs to: the child of the server, whose child we are as well. Followed by way of
 * its parents, for what has lost its own is adopted by the sandbox's init. 0: the kernel's own request, or the thread is gone.
 *
 * The thread must be waiting for an answer of ours, or its number may be another's.
 */
pid_t job_process(uint32_t thread);

#endif
