#include "harvest.h"

#include "fd.h"
#include "path.h"
#include "wire.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

/* Both spellings of overlayfs's marks: with privileges and without (`userxattr`). */
#define PREFIX_LENGTH 2
static const char *const prefixes[PREFIX_LENGTH] = { "trusted.overlay.", "user.overlay." };

struct walk {
	struct frame_out *out;
	uint32_t count;
	char *failed_path;
};

/* Value of overlayfs's mark, NUL-terminated, or NULL when there is none. malloc'ed. */
static char *get_mark(int fd, const char *name)
{
	for (int i = 0; i < PREFIX_LENGTH; i++) {
		char attribute[64];
		char value[PATH_MAX + 1];
		snprintf(attribute, sizeof attribute, "%s%s", prefixes[i], name);
		ssize_t length = fgetxattr(fd, attribute, value, sizeof value - 1);
		if (length >= 0) {
			value[length] = 0;
			return strdup(value);
		}
	}
	return NULL;
}

/* Whether a name of an attribute is one that a command has set: not a mark of overlayfs, nor what the system adds to all. */
static bool is_of_command(const char *name)
{
	for (int i = 0; i < PREFIX_LENGTH; i++) {
		if (strncmp(name, prefixes[i], strlen(prefixes[i])) == 0)
			return false;
	}
	return strncmp(name, "user.", 5) == 0 || strncmp(name, "system.posix_acl_", 17) == 0 ||
	       strcmp(name, "security.capability") == 0;
}

/* Extended attributes and access control lists are not brought back. When in doubt there are some. */
static bool has_attributes(int fd)
{
	char names[4096];
	ssize_t length = flistxattr(fd, names, sizeof names);
	if (length < 0)
		return errno != ENOTSUP;
	for (const char *name = names; name < names + length; name += strlen(name) + 1) {
		if (is_of_command(name))
			return true;
	}
	return false;
}

/*
 * As on the wire, modulo 2^64. Times that no ext4, XFS or f2fs can hold become the nearest that the wire can tell, which
 * such a file system would have made of them, or will. Source: s_time_min and s_time_max in fs/.
 */
static uint64_t wire_time(struct timespec time)
{
	if (time.tv_sec < WIRE_TIME_FIRST)
		time = (struct timespec){ .tv_sec = WIRE_TIME_FIRST };
	else if (time.tv_sec > WIRE_TIME_LAST)
		time = (struct timespec){ .tv_sec = WIRE_TIME_LAST };
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void put_entry(struct walk *walk, const char *path, const struct stat *st, uint32_t flags, const char *target)
{
	struct frame_out *out = walk->out;
	frame_put_string(out, path);
	frame_put_u32(out, st->st_mode);
	frame_put_u64(out, (uint64_t)st->st_size);
	frame_put_u64(out, wire_time(st->st_mtim));
	frame_put_u64(out, st->st_ino);
	frame_put_u32(out, (uint32_t)st->st_nlink);
	frame_put_u32(out, flags);
	frame_put_string(out, target);
	walk->count++;
}

static int fail_at(struct walk *walk, const char *path, int error)
{
	if (walk->failed_path == NULL)
		walk->failed_path = strdup(path);
	return -error;
}

static int walk_directory(struct walk *walk, int fd, const char *path);

static int take_directory(struct walk *walk, int parent, const char *name, const char *path, const struct stat *st)
{
	/* Unreadable to us as long as the job's mode stands, which is in the entry. */
	if ((st->st_mode & 0700) != 0700 && fchmodat(parent, name, st->st_mode | 0700, 0) < 0)
		return fail_at(walk, path, errno);
	AUTO_CLOSE int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return fail_at(walk, path, errno);
	AUTO_FREE char *opaque = get_mark(fd, "opaque");
	AUTO_FREE char *redirect = get_mark(fd, "redirect");
	uint32_t flags = 0;
	/* "x" is no opaque directory but one in which whiteouts may be attributes. */
	if (opaque != NULL && strcmp(opaque, "y") == 0)
		flags |= UPPER_OPAQUE;
	if (redirect != NULL)
		flags |= UPPER_REDIRECT;
	if (has_attributes(fd))
		flags |= UPPER_ATTRIBUTES;
	put_entry(walk, path, st, flags, redirect ? redirect : "");
	return walk_directory(walk, fd, path);
}

static int take_link(struct walk *walk, int parent, const char *name, const char *path, const struct stat *st)
{
	char target[PATH_MAX + 1];
	ssize_t length = readlinkat(parent, name, target, PATH_MAX);
	if (length < 0)
		return fail_at(walk, path, errno);
	target[length] = 0;
	put_entry(walk, path, st, 0, target);
	return 0;
}

static int take_file(struct walk *walk, int parent, const char *name, const char *path, const struct stat *st)
{
	if ((st->st_mode & 0600) != 0600 && fchmodat(parent, name, st->st_mode | 0600, 0) < 0)
		return fail_at(walk, path, errno);
	uint32_t flags = 0;
	AUTO_CLOSE int fd = openat(parent, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return fail_at(walk, path, errno);
	AUTO_FREE char *whiteout = st->st_size == 0 ? get_mark(fd, "whiteout") : NULL;
	if (whiteout != NULL)
		flags |= UPPER_WHITEOUT;
	else if (has_attributes(fd))
		flags |= UPPER_ATTRIBUTES;
	put_entry(walk, path, st, flags, "");
	return 0;
}

static int take(struct walk *walk, int parent, const char *name, const char *path)
{
	struct stat st;
	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return fail_at(walk, path, errno);
	if (S_ISDIR(st.st_mode))
		return take_directory(walk, parent, name, path, &st);
	if (S_ISLNK(st.st_mode))
		return take_link(walk, parent, name, path, &st);
	if (S_ISREG(st.st_mode))
		return take_file(walk, parent, name, path, &st);
	/* A deleted path is a character device 0:0. */
	put_entry(walk, path, &st, S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0) ? UPPER_WHITEOUT : 0, "");
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

struct names {
	char **list;
	size_t count, capacity;
};

static int add_name(struct names *names, const char *name)
{
	if (names->count == names->capacity) {
		size_t capacity = names->capacity ? names->capacity * 2 : 32;
		char **grown = realloc(names->list, capacity * sizeof(char *));
		if (grown == NULL)
			return -ENOMEM;
		names->list = grown;
		names->capacity = capacity;
	}
	names->list[names->count] = strdup(name);
	return names->list[names->count++] == NULL ? -ENOMEM : 0;
}

static void names_free(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->list[i]);
	free(names->list);
}

/* The names in a directory, sorted by bytes. 0 or -errno: a name that is missed would be an output that is lost. */
static int read_names(struct names *names, int fd)
{
	AUTO_CLOSE int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	DIR *stream = copy < 0 ? NULL : fdopendir(copy);
	if (stream == NULL)
		return -errno;
	(void)steal_fd(&copy);
	int failed = 0;
	struct dirent *entry;
	while (!failed && (errno = 0, entry = readdir(stream)) != NULL) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			failed = add_name(names, entry->d_name);
	}
	if (!failed)
		failed = -errno;
	closedir(stream);
	if (names->count > 1)
		qsort(names->list, names->count, sizeof(char *), compare_names);
	return failed;
}

static int walk_directory(struct walk *walk, int fd, const char *path)
{
	__attribute__((cleanup(names_free))) struct names names = { 0 };
	int failed = read_names(&names, fd);
	if (failed)
		return fail_at(walk, path, -failed);
	for (size_t i = 0; i < names.count && !failed; i++) {
		AUTO_FREE char *below = path_join(path, names.list[i]);
		failed = below == NULL ? fail_at(walk, path, ENOMEM) : take(walk, fd, names.list[i], below);
	}
	return failed;
}

int harvest(struct frame_out *out, int parent, const char *upper, char **path)
{
	struct walk walk = { .out = out };
	size_t count_at = frame_put_count(out);
	struct stat st;
	AUTO_CLOSE int fd = -1;
	int failed = 0;
	*path = NULL;
	if (fstatat(parent, upper, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    ((st.st_mode & 0700) != 0700 && fchmodat(parent, upper, st.st_mode | 0700, 0) < 0) ||
	    (fd = openat(parent, upper, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) < 0)
		failed = fail_at(&walk, upper, errno);
	if (!failed) {
		put_entry(&walk, "", &st, 0, "");
		failed = walk_directory(&walk, fd, "");
	}
	frame_set_count(out, count_at, walk.count);
	*path = walk.failed_path;
	return failed;
}
