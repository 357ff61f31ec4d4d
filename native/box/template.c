#include "template.h"

#include "fd.h"
#include "log.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

static const char *const device_names[] = { "null", "zero", "full", "random", "urandom", "tty" };

static const char *const links[][2] = {
	{ "fd", "/proc/self/fd" },
	{ "stdin", "/proc/self/fd/0" },
	{ "stdout", "/proc/self/fd/1" },
	{ "stderr", "/proc/self/fd/2" },
	{ "ptmx", "pts/ptmx" },
};

static const char *const directory_names[] = { "shm", "pts" };

static int fail(const char *call, const char *path)
{
	int error = errno;
	log_line("template: %s \"%s\": %s", call, path, strerror(error));
	return -error;
}

/* A bind needs something to stand on. */
static int bind_device(int devices, const char *name)
{
	char host[32], target[64];
	snprintf(host, sizeof host, "/dev/%s", name);
	snprintf(target, sizeof target, "/proc/self/fd/%d/%s", devices, name);
	AUTO_CLOSE int file = openat(devices, name, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	if (file < 0)
		return fail("create", name);
	return mount(host, target, NULL, MS_BIND, NULL) < 0 ? fail("bind", host) : 0;
}

int template_make(const char *directory)
{
	if (mkdir(directory, 0700) < 0 && errno != EEXIST)
		return fail("mkdir", directory);
	const unsigned long flags = MS_NOSUID | MS_NOEXEC | MS_NOATIME;
	if (mount("termite-template", directory, "tmpfs", flags, "mode=755,size=64k") < 0)
		return fail("mount of tmpfs on", directory);
	AUTO_CLOSE int root = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return fail("open", directory);
	if (mkdirat(root, TEMPLATE_SCRATCH, 0700) < 0 || mkdirat(root, TEMPLATE_DEVICES, 0755) < 0)
		return fail("mkdir in", directory);
	AUTO_CLOSE int fd = openat(root, TEMPLATE_DEVICES, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fail("open", TEMPLATE_DEVICES);
	for (size_t i = 0; i < sizeof device_names / sizeof *device_names; i++) {
		int failed = bind_device(fd, device_names[i]);
		if (failed)
			return failed;
	}
	for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
		if (symlinkat(links[i][1], fd, links[i][0]) < 0)
			return fail("symlink", links[i][0]);
	}
	for (size_t i = 0; i < sizeof directory_names / sizeof *directory_names; i++) {
		if (mkdirat(fd, directory_names[i], 0755) < 0)
			return fail("mkdir", directory_names[i]);
	}
	/* The file system itself, not only this mount of it: binds of it are read-only too. */
	if (mount(NULL, directory, NULL, MS_REMOUNT | MS_RDONLY | flags, "mode=755") < 0)
		return fail("remount of", directory);
	return 0;
}
