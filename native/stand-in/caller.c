#include "caller.h"

#include "../shell/local.h"

#include <limits.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

static const char *const build_tools[] = { "make", "gmake", "ninja", "ninja-build", "samu" };

bool caller_is_build_tool(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	/* What the kernel says of a program that was replaced while it runs, as when make builds make. */
	static const char deleted[] = " (deleted)";
	size_t length = strlen(name);
	if (length > strlen(deleted) && strcmp(name + length - strlen(deleted), deleted) == 0)
		length -= strlen(deleted);
	for (size_t i = 0; i < sizeof build_tools / sizeof *build_tools; i++) {
		if (strlen(build_tools[i]) == length && strncmp(build_tools[i], name, length) == 0)
			return true;
	}
	return false;
}

bool caller_is_building(void)
{
	char link[32], path[PATH_MAX];
	local_numbered_path(link, "/proc/", getppid(), "/exe");
	ssize_t length = readlink(link, path, sizeof path - 1);
	if (length < 0)
		return false;
	path[length] = 0;
	return caller_is_build_tool(path);
}
