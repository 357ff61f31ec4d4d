/*
 * One FUSE session over /dev/fuse: reads the kernel's requests and writes the answers. Knows the format of messages
 * and nothing of what they mean.
 *
 * A handler does not answer, it returns: that is how every request is answered exactly once.
 */
#ifndef TERMITE_FUSE_H
#define TERMITE_FUSE_H

#include "kernel.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define FUSE_READ_MAX ((size_t)1 << 20) /* bytes in one answer to READ */

struct fuse_request {
	const struct fuse_in_header *header;
	const void *arguments; /* terminated by a NUL behind the last byte */
	size_t length;         /* of the arguments */
};

/* What a handler returns: the length of the answer it wrote (0 and above), -errno, or one of these. */
enum {
	FUSE_PARKED = -100000, /* answered later, by fuse_answer() */
	FUSE_SILENT = -100001, /* a message that has no answer */
};

typedef int fuse_handler(void *owner, const struct fuse_request *request, void *answer);

struct fuse_session {
	int fd;
	bool ended; /* unmounted or aborted: nothing more will come */
	int fault;  /* errno: a job was told EIO for a failure that is ours, so what it made of that is no result */
	void *owner;
	fuse_handler *handle;
	unsigned char *request; /* buffer of one message */
	unsigned char *answer;  /* buffer of one answer, FUSE_READ_MAX bytes */
};

/*
 * Opens /dev/fuse; must be done in the user namespace in which it is going to be mounted. 0 or -errno. End with
 * fuse_close().
 */
int fuse_open(struct fuse_session *session, fuse_handler *handle, void *owner);

struct fuse_mount_options {
	const char *name;
	uid_t uid, gid; /* the owner; all may use it */
	/* The kernel refuses to write by itself; and it keeps no times of access, for which it asks after each file read. */
	bool is_read_only;
	/* The kernel checks permissions by owner and mode, without asking. */
	bool has_permissions;
};

/*
 * Makes a mount of the session that is attached nowhere yet: a descriptor for move_mount(2), or -errno. Does not wait for an
 * answer of ours.
 */
int fuse_mount(const struct fuse_session *session, const struct fuse_mount_options *options);

/*
 * Handles requests that are waiting, some at most; does not block. 0, also when the session has ended, or -errno. To be
 * called whenever the descriptor is readable.
 */
int fuse_serve(struct fuse_session *session);

/* Handles one request that was parked, answering it unless it parks again. */
void fuse_handle(struct fuse_session *session, const struct fuse_request *request);

/* Answers with an errno (positive) and nothing else. */
void fuse_answer_error(struct fuse_session *session, uint64_t unique, int error);
void fuse_answer(struct fuse_session *session, uint64_t unique, const void *data, size_t length);

/* Aborts the connection: the kernel answers whatever is unanswered with ENOTCONN. */
void fuse_close(struct fuse_session *session);

#endif
