/*
 * A mirror: a read-only file system over FUSE, answered from Directory listings and blobs, which asks the executor
 * for what it does not have. Two layers use it:
 *
 *   system.c    the machine outside the project: listings by path, one mount for many jobs, caches without end
 *   project.c   the project's tree as it was when the job was submitted: listings by digest, one mount per job
 *
 * A mirror is one single-threaded process and must never touch its own mount: that request would wait for itself.
 * A request that needs an answer of the executor is parked with what it needs (a copy of its message) and handled
 * again from the beginning when the answer is there.
 */
#ifndef TERMITE_MIRROR_H
#define TERMITE_MIRROR_H

#include "content.h"
#include "frame.h"
#include "fuse.h"
#include "node.h"
#include "trace.h"

struct mirror;

/* What the executor was asked for. One need per node and kind, whatever the number of requests that wait for it. */
enum need_kind { NEED_LISTING, NEED_CONTENT, NEED_STDIN };

struct parked {
	struct parked *next;
	bool is_interrupted;
	size_t length;
	unsigned char message[]; /* header and arguments, and a NUL */
};

struct need {
	struct need *next;
	uint32_t id;
	enum need_kind kind;
	struct node *node;
	struct parked *first, **last;
};

/* In what the layers differ. Functions answer 0, -errno, or FUSE_PARKED after mirror_park(). */
struct layer {
	/* Makes the directory's listing known. */
	int (*list)(struct mirror *mirror, struct node *directory, const struct fuse_request *request);
	/* Gives the descriptor of a file that is not empty; it stays the mirror's. */
	int (*content)(struct mirror *mirror, struct node *file, const struct fuse_request *request, int *fd);
	/* Whether the name in the directory is shown as an empty directory, whatever the listing says. May be NULL. */
	bool (*is_hidden)(struct mirror *mirror, struct node *directory, struct bytes name);
	/* The index-th such name of a directory; false when there are no more. May be NULL. */
	bool (*hidden)(struct mirror *mirror, struct node *directory, size_t index, struct bytes *name);
	/* Told of every request that is refused with EROFS. May be NULL. */
	void (*refused)(struct mirror *mirror, const struct fuse_request *request);
	/* Told of every look at something that is there but not shown, or not as it is: a socket, the holes of a file. */
	void (*concealed)(struct mirror *mirror, const struct fuse_request *request, struct node *node);
	/* Told of whoever lists a partial directory (its node), or looks for a name that it does not show. NULL: there are none. */
	void (*withheld)(struct mirror *mirror, const struct fuse_request *request, struct node *node);
	/* Answers READ of a file that is a stream. May be NULL. */
	int (*read_stream)(struct mirror *mirror, struct node *file, const struct fuse_request *request, size_t size);
	/* OPEN is answered, so that it is traced; else the kernel is told to open files without asking. */
	bool answers_open;
	const char *prefix; /* in front of paths from the top, in messages */
};

struct mirror {
	const struct layer *layer;
	void *owner; /* of the layer */
	struct fuse_session session;
	struct node_table nodes;
	struct node *top; /* paths in the trace are relative to it */
	struct node *stream; /* the node that is read as a stream, or NULL */
	struct trace trace;
	struct content content;
	struct frame_out *out; /* frames to the executor; sent by the owner's loop */

	uint32_t uid, gid; /* the owner of everything that is shown */
	uint64_t passthrough_least; /* files of this size on are read past us; UINT64_MAX: none */
	bool kernel_knows_passthrough;

	char *fault; /* what went wrong when session.fault was set, or NULL */

	struct need *needs;
	uint32_t last_id;
	bool has_interrupted; /* some parked request was interrupted: mirror_check_interrupted() every now and then */
};

/* Opens the session and the node table. `out`, uid, gid and content are the caller's to set. 0 or -errno. */
int mirror_init(struct mirror *mirror, const struct layer *layer, void *owner);

/* Answers everything that is parked with EIO, ends the session and frees all. */
void mirror_free(struct mirror *mirror);

/*
 * Parks the request until need (kind, node) is answered; without a request only the need is noted. *id is a new id
 * when the executor is still to be asked, else 0: the caller must ask whenever it is not 0. FUSE_PARKED or -ENOMEM.
 */
int mirror_park(struct mirror *mirror, enum need_kind kind, struct node *node, const struct fuse_request *request,
		uint32_t *id);

/* The errno of an answer, 0 for none. One that the kernel would not take from us fails the reading. */
int mirror_get_errno(struct frame_in *in);

/* The need of that id and kind, or NULL: an answer to a question that nobody asks any more. */
struct need *mirror_need(const struct mirror *mirror, uint32_t id, enum need_kind kind);

/* The need was answered, its node changed accordingly: handles again all requests that waited for it. */
void mirror_resume(struct mirror *mirror, struct need *need);

/* Answers parked requests of processes that are being killed, so that they can die. */
void mirror_check_interrupted(struct mirror *mirror);

/*
 * Notes that a request has to be answered with an error that is not the file's own, but trouble of ours: it must not pass for
 * the result of a command, so whoever uses the mirror is to end. -EIO.
 */
int mirror_fault(struct mirror *mirror, const struct node *node, const char *why);

/* The handler of all operations, for fuse_open(). */
int ops_handle(void *mirror, const struct fuse_request *request, void *answer);

/* An interrupted request, by its unique id; called by the operations. */
void mirror_interrupted(struct mirror *mirror, uint64_t unique);

#endif
