/*
 * The inode table of one mirror. A node stands for a path, and so does its id, which is the inode number where that of the
 * origin is not known: never does one depend on content, for `mv a b` with equal contents must not see "the same file". A path that was found absent
 * has a node too: it carries what the trace remembers. Nodes live until the mirror ends, the kernel's FORGET is not
 * needed: a project mirror ends with its job, and a system mirror is as large as what was looked at.
 */
#ifndef TERMITE_NODE_H
#define TERMITE_NODE_H

#include "directory.h"

#include <stdbool.h>

enum listing_state {
	LISTING_UNKNOWN, /* a directory whose entries have not been asked for */
	LISTING_KNOWN,
	LISTING_REFUSED, /* there, but the origin may not look into it: `failure` tells why */
};

/* A file of this machine that is read where it is, and how it looked when that was decided. */
struct original {
	uint64_t size, mtime_ns, ctime_ns, inode;
	uint64_t link_count; /* when it was opened: a name that comes or goes later changes ctime, not the content */
	char *path;	     /* absolute, malloc'ed */
};

struct node {
	uint64_t id;
	struct node *parent; /* NULL: the root */
	struct node *next;   /* with the same hash */
	struct bytes name;
	bool is_absent;
	bool is_place; /* in one of the job's own places, see places.h */

	/* From the parent's listing, or the own one of a directory. */
	uint32_t mode;
	struct digest digest;
	struct bytes target;
	struct timespec mtime;
	struct file_identity identity;
	enum rights rights;
	struct disk_usage usage;

	enum listing_state state;
	struct directory listing;
	unsigned char *blob; /* what the listing points into, when the node owns it */

	int failure;      /* the errno that the origin's last answer gave; 0 none */
	bool is_answered; /* the origin has just told where the content is */
	bool must_copy;	  /* its original could not be opened as the origin sees it */
	unsigned char *owned_hash;
	struct original *original; /* the content is there; NULL: in the store */
	int fd; /* of the content, or -1; belongs to content.c */
	int32_t backing; /* FUSE passthrough, 0 none */

	uint32_t seen, told; /* TRACE_* flags, see trace.h */
};

struct node_table {
	struct node **by_id; /* by_id[id - 1] */
	size_t count, capacity;
	struct node **buckets;
	size_t bucket_count; /* a power of two */
};

/* Makes the root, id 1. 0 or -ENOMEM. */
int node_table_init(struct node_table *table);
void node_table_free(struct node_table *table);

struct node *node_root(const struct node_table *table);
/* NULL when the kernel asks for a node that never was. */
struct node *node_get(const struct node_table *table, uint64_t id);

/*
 * The node of a name in a directory, made when there is none yet. `entry` describes it (then name and digest point
 * into the parent's listing) or is NULL for an absent one. NULL: no memory.
 */
struct node *node_child(struct node_table *table, struct node *parent, struct bytes name,
			const struct directory_entry *entry);

/* The node of a name in a directory, or NULL when nobody asked for one yet. */
struct node *node_find(const struct node_table *table, const struct node *parent, struct bytes name);

/*
 * Takes over a later listing of a directory, and the blob that it points into, in place of the one that it has. Its entries
 * become what this one tells, present or absent. 0, or -ENOMEM: then nothing is taken over, and the mirror has to end.
 */
int node_relist(const struct node_table *table, struct node *directory, struct directory *listing, unsigned char *blob);

/*
 * Takes over a listing and, unless NULL, the malloc'ed blob that it points into. The node becomes a directory with
 * the mode and time that the listing tells.
 */
void node_set_listing(struct node *node, struct directory *listing, unsigned char *blob);

/* Copies the digest. 0 or -ENOMEM. */
int node_set_digest(struct node *node, struct digest digest);

/* Takes over the path. 0, -ENOMEM, or -ESTALE when it has another one already that looked different. */
int node_set_original(struct node *node, struct original original);
/* The content is in the store. */
void node_drop_original(struct node *node);

/*
 * Path from `top` down to the node, without a slash in front ("" for top itself), malloc'ed; NULL: no memory.
 * The node must lie below top.
 */
char *node_path(const struct node *top, const struct node *node);

#endif
