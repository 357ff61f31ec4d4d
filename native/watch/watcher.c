#include "watcher.h"

#include "fd.h"
#include "path.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

/*
 * IN_MODIFY and IN_CLOSE_WRITE are both needed: the first tells of a file that a background process still holds open,
 * the second of writes through a memory mapping (some linkers), which are seen no earlier than at the close.
 */
#define EVENTS                                                                                                   \
	(IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_MODIFY | IN_CLOSE_WRITE | IN_ATTRIB |          \
	 IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | IN_DONT_FOLLOW)

/* Above this much, one "everything may have changed" is cheaper for both sides than the list. */
#define CHANGED_BYTES_MAX ((size_t)16 << 20)

struct watcher_node {
	struct watcher_node *parent;
	struct watcher_node *first_child, *next_sibling, *previous_sibling;
	struct watcher_node *next_same_wd;
	struct watcher_node *next_to_scan;
	int wd; /* -1: not watched (yet) */
	bool is_recursive;
	bool has_unreadable; /* a directory in it could not be watched for want of permission */
	char *name;
};

typedef struct watcher_node node_t;

static bool is_top(const struct watcher *watcher, const node_t *node)
{
	return node == watcher->trees || node == watcher->dirs || node == watcher->departed;
}

/* Tables */

struct name_key {
	const node_t *parent;
	const char *name;
};

static uint64_t hash_of_name(const node_t *parent, const char *name)
{
	return table_hash(bytes_of(name), (uintptr_t)parent);
}

static bool has_name(const void *item, const void *key)
{
	const node_t *node = item;
	const struct name_key *wanted = key;
	return node->parent == wanted->parent && strcmp(node->name, wanted->name) == 0;
}

static bool is_same(const void *item, const void *key)
{
	return item == key;
}

static bool has_wd(const void *item, const void *key)
{
	return ((const node_t *)item)->wd == *(const int *)key;
}

static bool has_path(const void *item, const void *key)
{
	const struct watcher_path *path = item;
	return bytes_equal((struct bytes){ (const unsigned char *)path->text, path->length }, *(const struct bytes *)key);
}

static int add_path(struct table *table, struct bytes path, bool is_written)
{
	uint64_t hash = table_hash(path, 0);
	struct watcher_path *known = table_find(table, hash, has_path, &path);
	if (known) {
		known->is_written |= is_written;
		return 0;
	}
	struct watcher_path *item = malloc(sizeof *item + path.length);
	if (item == NULL)
		return -ENOMEM;
	item->length = path.length;
	item->is_written = is_written;
	memcpy(item->text, path.data, path.length);
	int failed = table_add(table, hash, item);
	if (failed)
		free(item);
	return failed;
}

static node_t *child_of(const struct watcher *watcher, const node_t *parent, const char *name)
{
	const struct name_key key = { parent, name };
	return table_find(&watcher->nodes_by_name, hash_of_name(parent, name), has_name, &key);
}

/* Nodes */

static void link_below(node_t *parent, node_t *node)
{
	node->parent = parent;
	node->previous_sibling = NULL;
	node->next_sibling = parent->first_child;
	if (parent->first_child)
		parent->first_child->previous_sibling = node;
	parent->first_child = node;
}

static void unlink_from_parent(node_t *node)
{
	if (node->previous_sibling)
		node->previous_sibling->next_sibling = node->next_sibling;
	else
		node->parent->first_child = node->next_sibling;
	if (node->next_sibling)
		node->next_sibling->previous_sibling = node->previous_sibling;
}

/* The node is no longer where it was. Its watch is kept until bury_departed(): the directory may turn up elsewhere. */
static void depart(struct watcher *watcher, node_t *node)
{
	table_remove(&watcher->nodes_by_name, hash_of_name(node->parent, node->name), is_same, node);
	unlink_from_parent(node);
	link_below(watcher->departed, node);
}

/* A fresh node of that name; one that was there departs. NULL: no memory. */
static node_t *add_node(struct watcher *watcher, node_t *parent, const char *name, bool is_recursive)
{
	node_t *old = child_of(watcher, parent, name);
	if (old)
		depart(watcher, old);
	node_t *node = calloc(1, sizeof *node);
	if (node == NULL)
		return NULL;
	node->wd = -1;
	node->is_recursive = is_recursive;
	node->name = strdup(name);
	if (node->name == NULL || table_add(&watcher->nodes_by_name, hash_of_name(parent, name), node) != 0) {
		free(node->name);
		free(node);
		return NULL;
	}
	link_below(parent, node);
	return node;
}

static int set_wd(struct watcher *watcher, node_t *node, int wd)
{
	uint64_t hash = table_hash_number((uint64_t)wd);
	node->next_same_wd = table_remove(&watcher->nodes_by_wd, hash, has_wd, &wd);
	node->wd = wd;
	return table_add(&watcher->nodes_by_wd, hash, node);
}

/* Takes the node out of those with its watch, and ends the watch when it was the last one. */
static void clear_wd(struct watcher *watcher, node_t *node)
{
	if (node->wd < 0)
		return;
	uint64_t hash = table_hash_number((uint64_t)node->wd);
	node_t *first = table_remove(&watcher->nodes_by_wd, hash, has_wd, &node->wd);
	for (node_t **at = &first; *at; at = &(*at)->next_same_wd) {
		if (*at == node) {
			*at = node->next_same_wd;
			break;
		}
	}
	if (first == NULL)
		inotify_rm_watch(watcher->fd, node->wd); /* fails when the directory is gone */
	else if (table_add(&watcher->nodes_by_wd, hash, first) != 0)
		watcher->is_incomplete = true;
	node->wd = -1;
}

/* Frees all departed nodes. Without recursion, as trees can be deep: a node's children are moved up to it first. */
static void bury_departed(struct watcher *watcher)
{
	node_t *node;
	while ((node = watcher->departed->first_child) != NULL) {
		if (node->first_child) {
			depart(watcher, node->first_child);
			continue;
		}
		unlink_from_parent(node);
		clear_wd(watcher, node);
		free(node->name);
		free(node);
	}
}

/* Paths */

/* The path of the node and, if not NULL, the entry in it, in watcher->path; empty for a departed node or on no memory. */
static struct bytes path_of(struct watcher *watcher, const node_t *node, const char *entry)
{
	static const struct bytes none = { NULL, 0 };
	size_t length = entry ? strlen(entry) + 1 : 0;
	for (const node_t *at = node; !is_top(watcher, at); at = at->parent)
		length += strlen(at->name) + 1;
	if (length + 1 > watcher->path_capacity) {
		char *path = realloc(watcher->path, length * 2 + 1);
		if (path == NULL) {
			watcher->is_incomplete = true;
			return none;
		}
		watcher->path = path;
		watcher->path_capacity = length * 2 + 1;
	}
	/* From the end to the beginning. */
	char *begin = watcher->path + watcher->path_capacity - 1, *const end = begin;
	*begin = 0;
	const char *name = entry ? entry : node->name;
	const node_t *above = entry ? node : node->parent;
	for (;;) {
		size_t name_length = strlen(name);
		begin -= name_length;
		memcpy(begin, name, name_length);
		if (is_top(watcher, above))
			break;
		name = above->name;
		above = above->parent;
		if (strcmp(name, "/") != 0)
			*--begin = '/';
	}
	if (above == watcher->departed)
		return none;
	return (struct bytes){ (unsigned char *)begin, (size_t)(end - begin) };
}

static bool is_excluded(const struct watcher *watcher, struct bytes path)
{
	return table_find(&watcher->excluded, table_hash(path, 0), has_path, &path) != NULL;
}

static void free_paths(struct table *table)
{
	for (size_t i = 0; i < table->capacity; i++)
		free(table->slots[i].item);
	table_free(table);
}

static void lose_events(struct watcher *watcher)
{
	watcher->events_lost = true;
	free_paths(&watcher->changed);
	watcher->changed_bytes = 0;
}

static void report(struct watcher *watcher, struct bytes path, bool is_written)
{
	if (watcher->events_lost)
		return;
	size_t count = watcher->changed.count;
	if (add_path(&watcher->changed, path, is_written) != 0)
		lose_events(watcher);
	else if (watcher->changed.count > count)
		watcher->changed_bytes += path.length + 4;
	if (watcher->changed_bytes > CHANGED_BYTES_MAX)
		lose_events(watcher);
}

/* Scanning */

static void read_line(const char *file, char *line, size_t size)
{
	AUTO_CLOSE int fd = open(file, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? -1 : RETRY_EINTR(read(fd, line, size - 1));
	line[length > 0 ? length : 0] = 0;
	line[strcspn(line, "\n")] = 0;
}

static int fail(struct watcher *watcher, const char *call, const char *path, int error)
{
	snprintf(watcher->message, sizeof watcher->message, "%s \"%.200s\": %s", call, path, strerror(error));
	return -error;
}

static int fail_to_watch(struct watcher *watcher, const char *path, int error)
{
	char limit[32];
	if (error != ENOSPC)
		return fail(watcher, "inotify_add_watch", path, error);
	read_line("/proc/sys/fs/inotify/max_user_watches", limit, sizeof limit);
	snprintf(watcher->message, sizeof watcher->message,
		 "inotify_add_watch \"%.200s\": all %s watches of this user are taken: "
		 "raise the limit: sysctl fs.inotify.max_user_watches=1048576",
		 path, limit);
	return -error;
}

static bool is_directory(DIR *dir, const struct dirent *entry)
{
	struct stat status;
	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type == DT_DIR;
	return fstatat(dirfd(dir), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(status.st_mode);
}

/* Adds a node for each directory in the directory and puts them on the list. 0 or -errno. */
static int scan_entries(struct watcher *watcher, node_t *node, const char *path, node_t **to_scan)
{
	DIR *dir = opendir(path);
	if (dir == NULL)
		return errno == ENOENT || errno == ENOTDIR || errno == EACCES ? 0 : fail(watcher, "opendir", path, errno);
	int failed = 0;
	const struct dirent *entry;
	while (!failed && (entry = readdir(dir)) != NULL) {
		if (!path_is_name(entry->d_name, strlen(entry->d_name)) || !is_directory(dir, entry))
			continue;
		if (watcher->excluded.count > 0 && is_excluded(watcher, path_of(watcher, node, entry->d_name)))
			continue;
		node_t *child = add_node(watcher, node, entry->d_name, true);
		if (child == NULL) {
			failed = fail(watcher, "malloc for", entry->d_name, ENOMEM);
			break;
		}
		child->next_to_scan = *to_scan;
		*to_scan = child;
	}
	closedir(dir);
	return failed;
}

/*
 * Watches the directory of the node and, when it is recursive, those below it. A directory is watched before it is read:
 * what comes to be in between is found twice rather than never. One that has vanished below the node, or that we may not
 * read (nobody could tell its content then), is left out. 0 and the count, or -errno and a message.
 */
static int scan(struct watcher *watcher, node_t *node, size_t *directory_count)
{
	node_t *to_scan = node;
	node->next_to_scan = NULL;
	*directory_count = 0;
	while (to_scan) {
		node_t *at = to_scan;
		to_scan = at->next_to_scan;
		struct bytes bytes = path_of(watcher, at, NULL);
		AUTO_FREE char *path = bytes_to_string(bytes);
		if (path == NULL)
			return fail(watcher, "malloc for", at->name, ENOMEM);
		int wd = inotify_add_watch(watcher->fd, path, EVENTS);
		if (wd < 0) {
			int error = errno;
			bool is_harmless = error == ENOENT || error == ENOTDIR || error == EACCES ||
					   error == ENAMETOOLONG || error == ELOOP;
			if (at == node || !is_harmless)
				return fail_to_watch(watcher, path, error);
			at->parent->has_unreadable |= error == EACCES;
			depart(watcher, at);
			continue;
		}
		if (set_wd(watcher, at, wd) != 0)
			return fail(watcher, "malloc for", path, ENOMEM);
		++*directory_count;
		int failed = at->is_recursive ? scan_entries(watcher, at, path, &to_scan) : 0;
		if (failed)
			return failed;
	}
	return 0;
}

/* Events */

/* A directory has come to be in a watched tree. */
static void scan_new(struct watcher *watcher, node_t *parent, const char *name)
{
	size_t count;
	node_t *node = add_node(watcher, parent, name, true);
	int failed = node ? scan(watcher, node, &count) : -ENOMEM;
	/* It may be gone or moved on already; then there are more events to come that say so. */
	if (failed == -ENOENT || failed == -ENOTDIR || failed == -EACCES || failed == -ENAMETOOLONG || failed == -ELOOP) {
		parent->has_unreadable |= failed == -EACCES;
		depart(watcher, node);
	} else if (failed) {
		watcher->is_incomplete = true;
	}
}

static void take_entry_event(struct watcher *watcher, node_t *node, const struct inotify_event *event)
{
	struct bytes path = path_of(watcher, node, event->name);
	if (path.length == 0 || is_excluded(watcher, path))
		return;
	report(watcher, path, (event->mask & (IN_MODIFY | IN_CLOSE_WRITE)) != 0);
	if (!node->is_recursive || !(event->mask & IN_ISDIR))
		return;
	node_t *child = child_of(watcher, node, event->name);
	/* A change of permissions may have opened what could not be watched before. */
	bool may_have_opened = (event->mask & IN_ATTRIB) && (child ? child->has_unreadable : node->has_unreadable);
	if ((event->mask & (IN_CREATE | IN_MOVED_TO)) || may_have_opened)
		scan_new(watcher, node, event->name);
	else if (child && (event->mask & (IN_DELETE | IN_MOVED_FROM)))
		depart(watcher, child);
}

static void take_own_event(struct watcher *watcher, node_t *node, const struct inotify_event *event)
{
	struct bytes path = path_of(watcher, node, NULL);
	if (path.length == 0)
		return;
	report(watcher, path, false);
	/* Nothing above a root is watched: where it went is not known. */
	bool is_root = node->parent == watcher->trees || node->parent == watcher->dirs;
	if (is_root && (event->mask & (IN_IGNORED | IN_MOVE_SELF | IN_UNMOUNT)))
		depart(watcher, node);
	else if (is_root && node->has_unreadable && (event->mask & IN_ATTRIB))
		watcher->must_rescan = true;
}

static void take_event(struct watcher *watcher, const struct inotify_event *event)
{
	if (event->mask & IN_Q_OVERFLOW) {
		watcher->must_rescan = true;
		return;
	}
	/* What was covered shows again, or the same file system comes back at once: with other watches. */
	if (event->mask & IN_UNMOUNT)
		watcher->must_rescan = true;
	node_t *next = table_find(&watcher->nodes_by_wd, table_hash_number((uint64_t)event->wd), has_wd, &event->wd);
	/* Left over from a directory that went away while the queue had overflowed. */
	if (next == NULL && !(event->mask & IN_IGNORED))
		inotify_rm_watch(watcher->fd, event->wd);
	while (next) {
		node_t *node = next;
		next = node->next_same_wd; /* nodes depart, but none is freed before bury_departed() */
		if (event->len > 0)
			take_entry_event(watcher, node, event);
		else
			take_own_event(watcher, node, event);
	}
}

/* Walks everything anew after events were lost. */
static void rescan(struct watcher *watcher)
{
	node_t *const tops[] = { watcher->trees, watcher->dirs };
	watcher->must_rescan = false;
	watcher->is_incomplete = false;
	lose_events(watcher);
	for (size_t i = 0; i < 2; i++) {
		for (node_t *root = tops[i]->first_child, *next; root; root = next) {
			size_t count;
			next = root->next_sibling;
			while (root->first_child)
				depart(watcher, root->first_child);
			clear_wd(watcher, root);
			root->has_unreadable = false;
			int failed = scan(watcher, root, &count);
			if (failed == -ENOENT || failed == -ENOTDIR)
				depart(watcher, root);
			else if (failed)
				watcher->is_incomplete = true;
		}
	}
}

void watcher_drain(struct watcher *watcher)
{
	/* No more than what is there now: under constant writing the queue might never be empty. */
	int queued = 0;
	ioctl(watcher->fd, FIONREAD, &queued);
	while (queued > 0) {
		_Alignas(struct inotify_event) char buffer[64 << 10];
		ssize_t length = RETRY_EINTR(read(watcher->fd, buffer, sizeof buffer));
		if (length <= 0)
			break;
		for (const char *at = buffer; at < buffer + length;) {
			const struct inotify_event *event = (const void *)at;
			take_event(watcher, event);
			at += sizeof *event + event->len;
		}
		queued -= (int)length;
	}
	if (watcher->must_rescan)
		rescan(watcher);
	bury_departed(watcher);
}

void watcher_forget_changed(struct watcher *watcher)
{
	free_paths(&watcher->changed);
	watcher->changed_bytes = 0;
	watcher->events_lost = false;
}

/* What is asked for */

int watcher_open(struct watcher *watcher)
{
	char limit[32];
	*watcher = (struct watcher){ .fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK) };
	if (watcher->fd < 0 && errno == EMFILE) {
		read_line("/proc/sys/fs/inotify/max_user_instances", limit, sizeof limit);
		snprintf(watcher->message, sizeof watcher->message,
			 "inotify_init1: all %s instances of this user are taken, or all descriptors: "
			 "raise the limit: sysctl fs.inotify.max_user_instances=1024",
			 limit);
		return -EMFILE;
	}
	if (watcher->fd < 0)
		return fail(watcher, "inotify_init1", "", errno);
	node_t *tops = calloc(3, sizeof *tops);
	if (tops == NULL)
		return fail(watcher, "malloc", "", ENOMEM);
	watcher->trees = &tops[0];
	watcher->dirs = &tops[1];
	watcher->departed = &tops[2];
	return 0;
}

static char *clean_absolute(struct watcher *watcher, struct bytes path)
{
	char *text = bytes_to_string(path);
	if (text == NULL || text[0] != '/') {
		fail(watcher, "watch", text ? text : "", EINVAL);
		free(text);
		return NULL;
	}
	path_clean(text);
	return text;
}

static int add_root(struct watcher *watcher, node_t *top, const char *path, size_t *directory_count)
{
	node_t *root = add_node(watcher, top, path, top == watcher->trees);
	int failed = root ? scan(watcher, root, directory_count) : fail(watcher, "malloc for", path, ENOMEM);
	if (failed && root)
		depart(watcher, root);
	bury_departed(watcher);
	return failed;
}

int watcher_add_tree(struct watcher *watcher, struct bytes root, const struct bytes *excluded, size_t excluded_count,
		     size_t *directory_count)
{
	AUTO_FREE char *path = clean_absolute(watcher, root);
	if (path == NULL)
		return -EINVAL;
	for (size_t i = 0; i < excluded_count; i++) {
		AUTO_FREE char *relative = bytes_to_string(excluded[i]);
		AUTO_FREE char *absolute = relative ? path_join(path, relative) : NULL;
		if (absolute)
			path_clean(absolute);
		if (absolute == NULL || add_path(&watcher->excluded, bytes_of(absolute), false) != 0)
			return fail(watcher, "exclude", relative ? relative : "", relative ? ENOMEM : EINVAL);
	}
	return add_root(watcher, watcher->trees, path, directory_count);
}

int watcher_add_dir(struct watcher *watcher, struct bytes path)
{
	size_t count;
	AUTO_FREE char *text = clean_absolute(watcher, path);
	return text ? add_root(watcher, watcher->dirs, text, &count) : -EINVAL;
}

void watcher_remove_dir(struct watcher *watcher, struct bytes path)
{
	AUTO_FREE char *text = clean_absolute(watcher, path);
	node_t *node = text ? child_of(watcher, watcher->dirs, text) : NULL;
	if (node)
		depart(watcher, node);
	bury_departed(watcher);
}

void watcher_close(struct watcher *watcher)
{
	node_t *const tops[] = { watcher->trees, watcher->dirs };
	for (size_t i = 0; i < 2; i++) {
		while (tops[i]->first_child)
			depart(watcher, tops[i]->first_child);
	}
	bury_departed(watcher);
	free(watcher->trees); /* all three are one allocation */
	table_free(&watcher->nodes_by_wd);
	table_free(&watcher->nodes_by_name);
	free_paths(&watcher->excluded);
	free_paths(&watcher->changed);
	free(watcher->path);
	fd_close(&watcher->fd);
}
