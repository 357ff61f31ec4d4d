/*
 * The inside of a job, from the clone on. The steps, and what each may do:
 *
 *   apply_mounts()       in new namespaces, with all capabilities over them: builds the file system, leaves the old one
 *   apply_identity()     becomes the job's user in a user namespace of its own, gives up what the caller does not have over his own files, for good
 *   init_run()           pid 1 with no more than that: runs the command, reaps, reports
 *
 * None of this returns an error: the sandbox says why on the report pipe and exits.
 */
#ifndef TERMITE_SANDBOX_H
#define TERMITE_SANDBOX_H

#include "box.h"
#include "storage.h"
#include "plan.h"

struct sandbox {
	const struct box *box;
	const struct job_request *request;
	const struct plan *plan;
	const struct storage *storage;
	uint32_t number; /* of the job, among those of this box */
	uid_t uid; /* the job's, outside of its user namespace */
	gid_t gid;
	int project;   /* the project mirror's mount, attached nowhere yet */
	int network;   /* a network namespace to enter, or -1: in the right one already */
	int notices;   /* a pipe to the supervisor, see notice.h */
	int report;    /* a pipe to the supervisor */
	int alive;     /* a pipe that hangs up when the supervisor has died */
	int output[2]; /* what becomes the command's stdout and stderr */
	int input;     /* what becomes its stdin; set by apply_mounts() */
	int places;    /* O_PATH: the writable layer of the job's own places; set by apply_mounts() */
	int home;      /* O_PATH: the same of the home directory, or -1; set by apply_mounts() */
};

/* Says why, and exits. */
_Noreturn void sandbox_fail(const struct sandbox *sandbox, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Has the kernel kill us when the supervisor dies. Needed anew after each change of credentials, which clears it. */
void sandbox_follow_supervisor(const struct sandbox *sandbox);

void apply_mounts(struct sandbox *sandbox);
void apply_identity(const struct sandbox *sandbox);
_Noreturn void init_run(struct sandbox *sandbox);

#endif
