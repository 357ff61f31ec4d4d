#include "remove.h"

#include "fd.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>

static int remove_at(int parent, const char *name);

static int empty_directory(int parent, const char *name)
{
	AUTO_CLOSE int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	DIR *stream = fdopendir(fd);
	if (stream == NULL)
		return -errno;
	int directory = steal_fd(&fd), result = 0;
	for (struct dirent *entry; (entry = readdir(stream)) != NULL;) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		int failed = remove_at(directory, entry->d_name);
		if (failed && !result)
			result = failed;
	}
	closedir(stream);
	return result;
}

static int remove_at(int parent, const char *name)
{
	if (unlinkat(parent, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	if (unlinkat(parent, name, AT_REMOVEDIR) == 0)
		return 0;
	int failed = empty_directory(parent, name);
	if (failed)
		return failed;
	return unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : -errno;
}

int remove_tree(const char *path)
{
	return remove_at(AT_FDCWD, path);
}
