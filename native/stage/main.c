/*
 * termite-stage STAND-IN FOLDER [PROGRAM [ARGUMENTS…]]
 *
 * Becomes the program, in a mount namespace of its own where a stand-in lies over each shell of the system. There the
 * folder is a tmpfs with the real ones: FOLDER/0/dash, FOLDER/0/sh -> dash, FOLDER/1/bash. Nothing of this can be seen
 * from outside, and all of it is gone with the last process of the build. Where it cannot be done, that is said and the
 * program runs as it would without us. Without a program the stage is only tried: 0, or 1 and the reason.
 */
#include "../stand-in/image.h"

#include "bytes.h"
#include "fd.h"
#include "id_map.h"
#include "log.h"
#include "path.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

/* Shells that take `-c LINE`, and where systems have them. */
static const char *const names[] = { "sh", "dash", "bash", "ash", "ksh", "mksh", "zsh" };
static const char *const folders[] = { "/bin", "/usr/bin", "/usr/local/bin" };
#define NAME_COUNT (sizeof names / sizeof *names)
#define FOLDER_COUNT (sizeof folders / sizeof *folders)

struct shell {
	char path[PATH_MAX];   /* symbolic links resolved */
	char folder[PATH_MAX]; /* where else it can be had */
};

/* What follows from a failure; nothing does from that of a trial. */
static const char *consequence = "nothing will be distributed: ";

static int failed_with(const char *what, const char *path)
{
	int error = errno;
	log_line("%s%s \"%s\": %s", consequence, what, path, strerror(error));
	return -error;
}

static int no_namespace(const char *call)
{
	log_line("%sno mount namespace: %s: %s: run as root, or allow user namespaces "
		 "(sysctl user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns)",
		 consequence, call, strerror(errno));
	return -1;
}

/* A mount namespace of our own; only whoever may not make one needs a user namespace around it, with the same ids. */
static int enter_namespace(void)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	if (unshare(CLONE_NEWNS) < 0) {
		const char *path;
		if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
			return no_namespace("unshare");
		if (id_map(uid, uid, gid, gid, &path) < 0)
			return no_namespace(path);
	}
	/*
	 * What is mounted outside later shows in here as well, but not the other way round. It is also the first call that
	 * needs a privilege, which AppArmor may have taken from the namespace.
	 */
	return mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ? no_namespace("mount") : 0;
}

static const char *base_name(const char *path)
{
	return strrchr(path, '/') + 1;
}

static int bind(const char *from, const char *to)
{
	return mount(from, to, NULL, MS_BIND, NULL) < 0 ? failed_with("mount over", to) : 0;
}

/* Makes the real shell reachable in a folder of its own, which stays so when something lies over its usual place. */
static int reveal(const struct shell *shell)
{
	AUTO_FREE char *path = path_join(shell->folder, base_name(shell->path));
	if (path == NULL || mkdir(shell->folder, 0755) < 0)
		return failed_with("mkdir", shell->folder);
	AUTO_CLOSE int fd = open(path, O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	return fd < 0 ? failed_with("open", path) : bind(shell->path, path);
}

/* The shell's further names, for processes that are started under them. */
static int add_name(const struct shell *shell, const char *name)
{
	AUTO_FREE char *path = path_join(shell->folder, name);
	if (path == NULL || (symlink(base_name(shell->path), path) < 0 && errno != EEXIST))
		return failed_with("symlink", name);
	return 0;
}

static int cover(const struct shell *shell, const char *stand_in)
{
	AUTO_FREE char *image = path_join(shell->folder, ".stand-in");
	errno = image ? -image_write(image, stand_in, shell->path, shell->folder) : ENOMEM;
	return errno ? failed_with("write a stand-in for", shell->path) : bind(image, shell->path);
}

static int cover_shells(const char *stand_in, const char *folder)
{
	static struct shell shells[NAME_COUNT * FOLDER_COUNT + 1];
	size_t count = 0;
	for (size_t i = 0; i < NAME_COUNT * FOLDER_COUNT; i++) {
		const char *name = names[i % NAME_COUNT];
		AUTO_FREE char *path = path_join(folders[i / NAME_COUNT], name);
		struct shell *last = &shells[count], *shell = shells;
		if (path == NULL || realpath(path, last->path) == NULL)
			continue;
		while (strcmp(shell->path, last->path) != 0)
			shell++;
		if (shell == last) {
			snprintf(shell->folder, sizeof shell->folder, "%s/%zu", folder, count++);
			if (reveal(shell) != 0)
				return -1;
		}
		if (add_name(shell, name) != 0)
			return -1;
	}
	for (size_t i = 0; i < count; i++) {
		if (cover(&shells[i], stand_in) != 0)
			return -1;
	}
	return 0;
}

static int set_stage(const char *stand_in, const char *folder)
{
	char other[PATH_MAX];
	/* A build within a build. */
	if (image_folder("/bin/sh", other) == 0)
		return 0;
	if (enter_namespace() != 0)
		return -1;
	if (mount("termite-shells", folder, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755") < 0)
		return failed_with("mount", folder);
	return cover_shells(stand_in, folder);
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		log_line("usage: termite-stage STAND-IN FOLDER [PROGRAM [ARGUMENTS...]]");
		return 125;
	}
	if (argc == 3) {
		consequence = "";
		return set_stage(argv[1], argv[2]) == 0 ? 0 : 1;
	}
	mode_t mask = umask(022);
	if (set_stage(argv[1], argv[2]) == 0)
		setenv("TERMITE_STAGED", "1", 1);
	umask(mask);
	execvp(argv[3], argv + 3);
	int error = errno;
	log_line("exec \"%s\": %s", argv[3], strerror(error));
	return error == ENOENT ? 127 : 126;
}
