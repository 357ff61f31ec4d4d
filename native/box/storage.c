#include "storage.h"

#include "fd.h"
#include "log.h"
#include "plan.h"
#include "remove.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

/*
 * More than anybody has: a command must not be told that there is no space, nor be refused what it asks for at once
 * (fallocate), where a disk would do. Our own limit is looked at while it runs.
 */
#define UNLIMITED "1P"

/* What an entry without content takes. Source: BOGO_INODE_SIZE, mm/shmem.c. */
#define INODE_BYTES 1024

/* A new tmpfs, attached nowhere; size NULL: the kernel's default, half of the memory. -errno when it fails. */
static int make_scratch(const char *size)
{
	AUTO_CLOSE int context = fsopen("tmpfs", FSOPEN_CLOEXEC);
	if (context < 0 || fsconfig(context, FSCONFIG_SET_STRING, "source", "termite-scratch", 0) < 0 ||
	    fsconfig(context, FSCONFIG_SET_STRING, "mode", "700", 0) < 0 ||
	    (size != NULL && fsconfig(context, FSCONFIG_SET_STRING, "size", size, 0) < 0) ||
	    fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	int mount = fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOATIME);
	return mount < 0 ? -errno : mount;
}

bool storage_fits_memory(bool is_rootful)
{
	AUTO_CLOSE int scratch = make_scratch(NULL);
	AUTO_CLOSE int root = scratch < 0 ? -1 : openat(scratch, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const char *mark = is_rootful ? "trusted.overlay.termite" : "user.overlay.termite";
	return root >= 0 && fsetxattr(root, mark, "y", 1, 0) == 0;
}

static int make_on_disk(struct ledger_line *line, const char *path)
{
	int failed = ledger_note(line, LEDGER_JOB, path);
	if (failed)
		return failed;
	if (mkdir(path, 0700) == 0)
		return 0;
	failed = -errno;
	ledger_clear(line); /* not ours to remove */
	return failed;
}

int storage_make(struct storage *storage, const struct box *box, struct ledger_line *line,
		 const struct job_request *request, uid_t uid, gid_t gid, const char **call)
{
	*storage = (struct storage){ .scratch = -1, .directory = -1 };
	storage->memory_bytes = box->storage_fits_memory ? request->memory_bytes : 0;
	*call = "mount of tmpfs";
	storage->scratch = make_scratch(storage->memory_bytes > 0 ? UNLIMITED : NULL);
	if (storage->scratch < 0)
		return storage->scratch;
	*call = "mkdir";
	if (mkdirat(storage->scratch, SCRATCH_JOB, 0700) < 0)
		return -errno;
	bool is_on_disk = storage->memory_bytes == 0;
	int failed = is_on_disk ? make_on_disk(line, request->job_dir) : 0;
	if (failed)
		return failed;
	*call = "open";
	storage->directory = openat(storage->scratch, is_on_disk ? request->job_dir : SCRATCH_JOB,
				  O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (storage->directory < 0)
		return -errno;
	*call = "mkdir";
	if (mkdirat(storage->directory, JOB_UPPER, 0700) < 0 || mkdirat(storage->directory, JOB_WORK, 0700) < 0)
		return -errno;
	*call = "chown";
	return fchownat(storage->directory, JOB_UPPER, uid, gid, 0) < 0 ? -errno : 0;
}

bool storage_is_outgrown(const struct storage *storage)
{
	struct statfs st;
	if (storage->memory_bytes == 0 || fstatfs(storage->directory, &st) < 0)
		return false;
	uint64_t blocks = st.f_blocks - st.f_bfree, inodes = st.f_files - st.f_ffree;
	return blocks * (uint64_t)st.f_bsize + inodes * INODE_BYTES > storage->memory_bytes;
}

char *storage_path(const struct storage *storage, const struct job_request *request)
{
	if (storage->memory_bytes == 0)
		return strdup(request->job_dir);
	/* No name leads there: the file system is mounted in the sandbox at most. */
	char *path;
	return asprintf(&path, "/proc/%d/fd/%d", getpid(), storage->directory) < 0 ? NULL : path;
}

void storage_free(struct storage *storage, struct ledger_line *line)
{
	fd_close(&storage->scratch);
	fd_close(&storage->directory);
	if (line->kind != LEDGER_JOB)
		return;
	int failed = remove_tree(line->path);
	if (failed)
		log_line("job: remove \"%s\": %s", line->path, strerror(-failed));
	ledger_clear(line);
}
