/*
 * Content of files: opens blobs of the store, but only such as were verified.
 *
 * The box hashes nothing itself. The executor verifies a blob by hashing it and says so; the box remembers in a table,
 * shared by all its processes, the signature (size, times, inode) that the file had then. A blob that is absent, not
 * in the table, or looks different from what was verified has to be asked for again.
 *
 * A file outside the project of the machine that the box itself runs on is not copied: it is read where it is, as long as
 * it looks as the executor said.
 */
#ifndef TERMITE_CONTENT_H
#define TERMITE_CONTENT_H

#include "digest.h"
#include "node.h"

/* Shared memory; made once, before the first fork. NULL: no memory. */
struct verified *verified_new(void);

#define CONTENT_OPEN_MAX 512 /* descriptors kept open per mirror */

struct content {
	int store; /* O_PATH descriptor of the store's directory; not ours */
	struct verified *verified;
	struct node *open[CONTENT_OPEN_MAX];
	size_t next;
};

/*
 * The descriptor of a node's content, which stays ours and is good until the next call; -EAGAIN when the blob is
 * absent or not verified, or the original has changed; -errno. Not for empty files: they have no content.
 */
int content_open(struct content *content, struct node *node);

/* Whether what was read from the descriptor until now was the content: an original may have been written to. */
bool content_is_unchanged(const struct node *node, int fd);

/* Takes the blob as it now is for verified. 0, -ENOENT, -EBADMSG when its size is wrong, -errno. */
int content_remember(struct content *content, struct digest digest);

/* A descriptor of a verified blob, which belongs to the caller; -EAGAIN and -errno as above. */
int content_open_blob(const struct content *content, struct digest digest);

void content_close(struct content *content);

#endif
