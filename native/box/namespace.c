#include "namespace.h"

#include "fd.h"
#include "id_map.h"
#include "log.h"

#include <fcntl.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Inode of the initial user namespace. Source: PROC_USER_INIT_INO, include/linux/proc_ns.h. */
#define INITIAL_USER_NAMESPACE 0xeffffffdu

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
	int failed = id_map(box->uid, box->uid, box->gid, box->gid, &path);
	if (failed)
		log_line("write \"%s\": %s", path, strerror(-failed));
	return failed;
}

int namespace_enter(struct box *box)
{
	/* What we run inherits it: not the one with the keys of whoever started us. The filter lets no job use this one, see filter.h. */
	(void)syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
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
