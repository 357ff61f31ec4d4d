/*
 * The project layer: the tree of a root digest, read-only, for one job. Its FUSE root is not the project but a
 * directory of our own with three names: `tree` is the project, over which the overlay is put, `places` what is below the
 * job's own places (places.h), and `stdin` its standard input, which therefore no path of the job leads to.
 */
#ifndef TERMITE_PROJECT_H
#define TERMITE_PROJECT_H

#include "mirror.h"
#include "places.h"

#define PROJECT_TREE "tree"
#define PROJECT_STDIN "stdin"
#define PROJECT_PLACES "places"

struct project_directory {
	struct digest digest;
	struct bytes blob;
};

struct project {
	struct mirror mirror;
	struct project_directory *known; /* sent along with the job; an open-addressed table by hash */
	size_t known_size;               /* a power of two */
	unsigned char *input; /* standard input that was sent and not read yet */
	size_t input_length;
	bool input_ended;
	struct node *places;
	char *concealed; /* path of the first thing that the job looked at and that is not shown as it is, or NULL; malloc'ed */
	char *broken; /* why the job cannot have a result, or NULL; malloc'ed */
};

struct project_options {
	struct digest root;
	const struct project_directory *directories; /* they and the root's hash must outlive the project */
	size_t directory_count;
	const struct shown_directory *shown; /* in the job's own places; they must outlive the project */
	size_t shown_count;
	struct content content;
	uint32_t uid, gid;
	bool allow_passthrough;
	struct frame_out *out;
};

/* 0 or -errno. End with project_free(). */
int project_init(struct project *project, const struct project_options *options);
void project_free(struct project *project);

/* The mode of the project's root: 0 and *mode and *mtime, FUSE_PARKED when it was asked for, -errno. */
int project_root(struct project *project, uint32_t *mode, struct timespec *mtime);

/* Whether the tree has something at the path below its root; true also when nobody has looked there yet. */
bool project_has(struct project *project, const char *path);

/* Takes DIRECTORY, BLOB and STDIN. 0, or -EBADMSG for anything else. `broken` may be set afterwards. */
int project_handle_frame(struct project *project, const struct frame *frame);

#endif
