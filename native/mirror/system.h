/*
 * The system layer: the master's machine outside the project, for all jobs of one executor and epoch. The executor is
 * asked for directories and files by path, each once; what it answered stays true until the mount ends.
 */
#ifndef TERMITE_SYSTEM_H
#define TERMITE_SYSTEM_H

#include "content.h"
#include "frame.h"


struct system_options {
	int connection;              /* to the executor; not ours to close */
	int termination;             /* a signalfd: readable means end */
	struct frame_reader *reader; /* of the connection */
	struct bytes mount;          /* payload of EXECUTOR_MOUNT, valid until the reader is used again */
	int store;
	struct verified *verified;
	uint32_t uid, gid; /* who owns what is shown */
};

/* The mount directory of a MOUNT, malloc'ed; NULL when the payload is malformed. */
char *system_mount_directory(struct bytes mount);

/*
 * Mounts, answers MOUNTED, and serves until the connection is closed; then unmounts. When it cannot mount, answers
 * BROKEN with the reason and waits for the end of the connection.
 */
void system_serve(const struct system_options *options);

#endif
