/*
 * Which paths have changed: inotify over whole trees and over single directories.
 *
 * The kernel queues an event before the system call that caused it returns. So what watcher_drain() leaves in `changed`
 * is everything that was done before it was called, and nothing is missing but what inotify(7) cannot see: writes through
 * a memory mapping before the file is closed, writes through another hard link, and anything done on another machine.
 *
 * Nodes form trees as directories do, each knowing its name and parent only: a path is put together when it is needed.
 * A directory that is moved, replaced or removed has its node put among the departed ones, and what stands there now is
 * walked anew; a watch that both of them share survives. One inode seen on two paths (bind mounts) has two nodes.
 */
#ifndef TERMITE_WATCHER_H
#define TERMITE_WATCHER_H

#include "bytes.h"
#include "table.h"

struct watcher_node;

struct watcher_path {
	size_t length;
	bool is_written; /* the content may have changed, whatever its times say */
	char text[]; /* absolute */
};

struct watcher {
	int fd;
	struct table nodes_by_wd, nodes_by_name;
	struct table excluded; /* of struct watcher_path */
	/* What stands above the roots: they are the children of one of these, and their names are absolute paths. */
	struct watcher_node *trees, *dirs, *departed;
	/*
	 * Of struct watcher_path; since the last watcher_forget_changed(). A directory that came to be or was moved here stands
	 * for all that is in it.
	 */
	struct table changed;
	size_t changed_bytes;
	bool events_lost;   /* everything may have changed; until watcher_forget_changed() */
	bool must_rescan;   /* the kernel's queue has overflowed */
	bool is_incomplete; /* a directory could not be watched: from now on everything may have changed, always */
	char *path;         /* where paths are put together */
	size_t path_capacity;
	char message[512]; /* why the last call failed: the call, the path, the way out */
};

/* 0 or -errno and a message. */
int watcher_open(struct watcher *watcher);

/*
 * Watches the root and all directories below it, also those that come to be later, but not the excluded paths (relative
 * to the root): these are not reported either. Watching a root again walks it anew. Absolute path, no final symbolic link.
 * 0 and the count of directories, or -errno and a message, and then nothing is watched.
 */
int watcher_add_tree(struct watcher *watcher, struct bytes root, const struct bytes *excluded, size_t excluded_count,
		     size_t *directory_count);

/*
 * Watches one directory: itself and its entries. 0, or -errno and a message. It must be asked for again after the
 * directory was removed or moved away, which is reported as a change of its path.
 */
int watcher_add_dir(struct watcher *watcher, struct bytes path);
void watcher_remove_dir(struct watcher *watcher, struct bytes path);

/* Takes in what is queued now, so that the kernel's queue does not overflow. Does not block. */
void watcher_drain(struct watcher *watcher);

/* Empties `changed`. */
void watcher_forget_changed(struct watcher *watcher);

void watcher_close(struct watcher *watcher);

#endif
