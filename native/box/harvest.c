#include "harvest.h"

#include "fd.h"
#include "path.h"
#include "plan.h"
#include "wire.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

/*
 * What overlayfs notes in attributes of the upper layer, behind the prefix that our mount uses. All else is the command's, also where
 * the kernel keeps it below the prefix, as "overlay.opaque". Source: fs/overlayfs/overlayfs.h.
 */
static const char *const marks[] = { "opaque", "redirect", "origin", "impure", "nlink", "upper", "uuid", "metacopy", "protattr" };

struct walk {
	struct frame_out *out;
	const char *prefix; /* of overlayfs's marks */
	int job_directory;
	int content; /* the directory JOB_CONTENT, -1 until it is needed */
	uint32_t count;
	char *failed_path;
};

/* Value of overlayfs's mark, NUL-terminated, or NULL when there is none. malloc'ed. */
static char *get_mark(const struct walk *walk, int fd, const char *name)
{
	char attribute[64];
	char value[PATH_MAX + 1];
	snprintf(attribute, sizeof attribute, "%s%s", walk->prefix, name);
	ssize_t length = fgetxattr(fd, attribute, value, sizeof value - 1);
	if (length < 0)
		return NULL;
	value[length] = 0;
	return strdup(value);
}

static bool is_mark(const struct walk *walk, const char *name)
{
	size_t length = strlen(walk->prefix);
	if (strncmp(name, walk->prefix, length) != 0)
		return false;
	for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
		if (strcmp(name + length, marks[i]) == 0)
			return true;
	}
	return false;
}

/* Whether a name of an attribute is one that a command has set: not a mark of overlayfs, nor what the system adds to all. */
static bool is_of_command(const struct walk *walk, const char *name)
{
	return !is_mark(walk, name) && (strncmp(name, "user.", 5) == 0 || strncmp(name, "system.posix_acl_", 17) == 0 ||
					strcmp(name, "security.capability") == 0);
}

/* Extended attributes and access control lists are not brought back. When in doubt there are some. */
static bool has_attributes(const struct walk *walk, int fd)
{
	char names[4096];
	ssize_t length = flistxattr(fd, names, sizeof names);
	if (length < 0)
		return errno != ENOTSUP;
	for (const char *name = names; name < names + length; name += strlen(name) + 1) {
		if (is_of_command(walk, name))
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

/*
 * Opens what `st` was told of, and nothing else that has its name by now: no link is followed, no device opened. -errno, ESTALE for
 * something else. We may read whatever the job's modes say.
 */
static int open_same(int parent, const char *name, const struct stat *st, uint64_t flags)
{
	const struct open_how how = {
		.flags = flags | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
	};
	AUTO_CLOSE int fd = (int)syscall(SYS_openat2, parent, name, &how, sizeof how);
	struct stat now;
	if (fd < 0 || fstat(fd, &now) < 0)
		return -errno;
	bool is_same = now.st_ino == st->st_ino && now.st_dev == st->st_dev && (now.st_mode & S_IFMT) == (st->st_mode & S_IFMT);
	return is_same ? steal_fd(&fd) : -ESTALE;
}

static int walk_directory(struct walk *walk, int fd, const char *path);

static int take_directory(struct walk *walk, int parent, const char *name, const char *path, const struct stat *st)
{
	AUTO_CLOSE int fd = open_same(parent, name, st, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return fail_at(walk, path, -fd);
	AUTO_FREE char *opaque = get_mark(walk, fd, "opaque");
	AUTO_FREE char *redirect = get_mark(walk, fd, "redirect");
	uint32_t flags = 0;
	/* "x" is no opaque directory but one in which whiteouts may be attributes. */
	if (opaque != NULL && strcmp(opaque, "y") == 0)
		flags |= UPPER_OPAQUE;
	if (redirect != NULL)
		flags |= UPPER_REDIRECT;
	if (has_attributes(walk, fd))
		flags |= UPPER_ATTRIBUTES;
	put_entry(walk, path, st, flags, redirect ? redirect : "");
	return walk_directory(walk, fd, path);
}

static int take_link(struct walk *walk, int parent, const char *name, const char *path, const struct stat *st)
{
	char target[PATH_MAX + 1];
	AUTO_CLOSE int fd = open_same(parent, name, st, O_PATH);
	if (fd < 0)
		return fail_at(walk, path, -fd);
	ssize_t length = readlinkat(fd, "", target, PATH_MAX);
	if (length < 0)
		return fail_at(walk, path, errno);
	target[length] = 0;
	put_entry(walk, path, st, 0, target);
	return 0;
}

/* Another name for the file, by which whoever reads it finds this one: in a directory that no process of the job has ever seen. */
static int keep_content(struct walk *walk, int fd, const struct stat *st)
{
	char opened[40], name[40];
	snprintf(opened, sizeof opened, "/proc/self/fd/%d", fd);
	snprintf(name, sizeof name, "%" PRIu64, (uint64_t)st->st_ino);
	if (walk->content < 0) {
		if (mkdirat(walk->job_directory, JOB_CONTENT, 0700) < 0)
			return -errno;
		walk->content = openat(walk->job_directory, JOB_CONTENT, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	}
	if (!(st->st_mode & 0400) && fchmod(fd, (st->st_mode & 07777) | 0400) < 0)
		return -errno;
	/* EEXIST: this file had another name in the layer. */
	bool has_failed = linkat(AT_FDCWD, opened, walk->content, name, AT_SYMLINK_FOLLOW) < 0 && errno != EEXIST;
	return has_failed ? -errno : 0;
}

static int take_file(struct walk *walk, int parent, const char *name, const char *path, const struct stat *st)
{
	AUTO_CLOSE int fd = open_same(parent, name, st, O_RDONLY | O_NONBLOCK);
	if (fd < 0)
		return fail_at(walk, path, -fd);
	int failed = st->st_size > 0 ? keep_content(walk, fd, st) : 0;
	if (failed)
		return fail_at(walk, path, -failed);
	put_entry(walk, path, st, has_attributes(walk, fd) ? UPPER_ATTRIBUTES : 0, "");
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

int harvest(struct frame_out *out, int job_directory, bool is_rootful, char **path)
{
	struct walk walk = {
		.out = out,
		.prefix = is_rootful ? "trusted.overlay." : "user.overlay.",
		.job_directory = job_directory,
		.content = -1,
	};
	size_t count_at = frame_put_count(out);
	struct stat st;
	AUTO_CLOSE int fd = -1;
	int failed = 0;
	*path = NULL;
	if (fstatat(job_directory, JOB_UPPER, &st, AT_SYMLINK_NOFOLLOW) < 0)
		failed = fail_at(&walk, JOB_UPPER, errno);
	else if ((fd = open_same(job_directory, JOB_UPPER, &st, O_RDONLY | O_DIRECTORY)) < 0)
		failed = fail_at(&walk, JOB_UPPER, -fd);
	if (!failed) {
		put_entry(&walk, "", &st, 0, "");
		failed = walk_directory(&walk, fd, "");
	}
	fd_close(&walk.content);
	frame_set_count(out, count_at, walk.count);
	*path = walk.failed_path;
	return failed;
}
