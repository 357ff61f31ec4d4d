#include "namespace.h"

#include "fd.h"
#include "log.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

/* Inode of the initial user namespace. Source: PROC_USER_INIT_INO, include/linux/proc_ns.h. */
#define INITIAL_USER_NAMESPACE 0xeffffffdu

static int write_file(const char *path, const char *text)
{
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* One write(2): the kernel takes a map whole or not at all. */
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

int namespace_map(unsigned inside_uid, unsigned outside_uid, unsigned inside_gid, unsigned outside_gid,
		  const char **path)
{
	char uid_map[40], gid_map[40];
	snprintf(uid_map, sizeof uid_map, "%u %u 1\n", inside_uid, outside_uid);
	snprintf(gid_map, sizeof gid_map, "%u %u 1\n", inside_gid, outside_gid);
	/* In this order: without privileges outside, groups can be mapped only after setgroups(2) was given up. */
	const char *const writes[][2] = {
		{ "/proc/self/setgroups", "deny" },
		{ "/proc/self/uid_map", uid_map },
		{ "/proc/self/gid_map", gid_map },
	};
	for (size_t i = 0; i < sizeof writes / sizeof *writes; i++) {
		*path = writes[i][0];
		int failed = write_file(writes[i][0], writes[i][1]);
		if (failed)
			return failed;
	}
	return 0;
}

static int enter_user_namespace(const struct box *box)
{
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0) {
		int error = errno;
		log_line("unshare of user and mount namespace: %s: run as root, or allow user namespaces "
			 "(sysctl user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns)",
			 strerror(error));
		return -error;
	}
	const char *path;
	int failed = namespace_map(box->uid, box->uid, box->gid, box->gid, &path);
	if (failed)
		log_line("write \"%s\": %s", path, strerror(-failed));
	return failed;
}

int namespace_enter(struct box *box)
{
	box->uid = geteuid();
	box->gid = getegid();
	struct stat st;
	box->is_rootful = box->uid == 0 && stat("/proc/self/ns/user", &st) == 0 &&
			  st.st_ino == INITIAL_USER_NAMESPACE && unshare(CLONE_NEWNS) == 0;
	if (!box->is_rootful) {
		int failed = enter_user_namespace(box);
		if (failed)
			return failed;
	}
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		int error = errno;
		log_line("mount of \"/\" as private: %s", strerror(error));
		return -error;
	}
	int fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fuse < 0) {
		int error = errno;
		log_line("open \"/dev/fuse\": %s: load the module fuse, and let this user read and write the device",
			 strerror(error));
		return -error;
	}
	close(fuse);
	return 0;
}
