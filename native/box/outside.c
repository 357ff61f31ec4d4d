#include "outside.h"

#include "fd.h"
#include "path.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

struct walk {
	const struct job_request *request;
	char *text;
	size_t length;
	unsigned count;
	dev_t device; /* what is mounted below is not ours to tell */
};

static void tell(struct walk *walk, const char *path)
{
	size_t length = strlen(path) + 1;
	char *grown = realloc(walk->text, walk->length + length);
	if (grown == NULL)
		return;
	memcpy(grown + walk->length, path, length);
	walk->text = grown;
	walk->length += length;
	walk->count++;
}

static bool leads_to(const char *path, const char *goal)
{
	return goal[0] == '/' && path_is_inside(goal, path);
}

/* True when something was told, or the directory could not be read. `fd` is consumed. */
static bool walk_directory(struct walk *walk, int fd, const char *path)
{
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	if (stream == NULL) {
		fd_close(&fd);
		return false;
	}
	bool has_entries = false;
	for (struct dirent *entry; walk->count < OUTSIDE_MAX && (entry = readdir(stream)) != NULL;) {
		struct stat st;
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		has_entries = true;
		if (fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_dev != walk->device)
			continue;
		AUTO_FREE char *below = path_join(path, entry->d_name);
		if (below == NULL)
			break;
		bool is_ours = leads_to(below, walk->request->project_root) || leads_to(below, walk->request->home);
		bool is_full = S_ISDIR(st.st_mode) &&
			       walk_directory(walk,
					      openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC),
					      below);
		if (!is_full && !is_ours)
			tell(walk, below);
	}
	closedir(stream);
	return has_entries;
}

static void walk_place(struct walk *walk, int at, const char *name, const char *path)
{
	struct stat st;
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && fstat(fd, &st) == 0) {
		walk->device = st.st_dev;
		walk_directory(walk, fd, path);
	} else {
		fd_close(&fd);
	}
}

struct bytes outside_list(const struct plan *plan, const struct job_request *request, int home)
{
	struct walk walk = { .request = request };
	if (home >= 0)
		walk_place(&walk, home, ".", plan->home);
	for (size_t i = 0; plan->places[i] != NULL; i++)
		walk_place(&walk, AT_FDCWD, plan->places[i], plan->places[i]);
	return (struct bytes){ (unsigned char *)walk.text, walk.length };
}
