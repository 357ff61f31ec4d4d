#include "project.h"

#include "local.h"

#include "fd.h"
#include "sha256.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdint.h>
#include <string.h>
#include <sys/vfs.h>

/* How much of the hash of its root the folder of a project is named by. */
#define KEY_BYTES 8

static const char digits[] = "0123456789abcdef";

static char *put_hex(char *end, uint64_t value)
{
	char reversed[16];
	size_t count = 0;
	do
		reversed[count++] = digits[value & 15];
	while ((value >>= 4) > 0);
	while (count > 0)
		*end++ = reversed[--count];
	*end = 0;
	return end;
}

static char *put_key(char *end, const char *root)
{
	unsigned char hash[SHA256_LENGTH];
	sha256(bytes_of(root), hash);
	for (size_t i = 0; i < KEY_BYTES; i++) {
		*end++ = digits[hash[i] >> 4];
		*end++ = digits[hash[i] & 15];
	}
	*end = 0;
	return end;
}

int project_socket(char path[PATH_MAX + PROJECT_SOCKET_MAX], const char *root, dev_t device, ino_t inode)
{
	const char *cache = local_variable("XDG_CACHE_HOME"), *home = local_variable("HOME");
	static const char below_home[] = "/.cache", projects[] = "/termite/projects/";
	const char *middle = "";
	if (cache == NULL || cache[0] != '/') {
		cache = home;
		middle = below_home;
	}
	if (cache == NULL || cache[0] != '/')
		return -ENOENT;
	if (strlen(cache) + sizeof below_home + sizeof projects + sizeof "/socket-" + 2 * KEY_BYTES >= PATH_MAX)
		return -ENAMETOOLONG;
	strcpy(path, cache);
	strcat(path, middle);
	strcat(path, projects);
	char *end = put_key(path + strlen(path), root);
	strcpy(end, "/socket-");
	end = put_hex(end + strlen(end), device);
	*end++ = '-';
	put_hex(end, inode);
	return 0;
}

bool project_is_sandboxed(void)
{
	/* The source of the mount at "/" in mirror/system.c; the roots of containers may be of this type, too. */
	static const char mirror[] = " - fuse termite-system ";
	static char mounts[32 << 10];
	struct statfs root;
	if (statfs("/", &root) < 0 || root.f_type != FUSE_SUPER_MAGIC)
		return false;
	AUTO_CLOSE int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? -1 : RETRY_EINTR(read(fd, mounts, sizeof mounts));
	return length > 0 && memmem(mounts, (size_t)length, mirror, sizeof mirror - 1) != NULL;
}
