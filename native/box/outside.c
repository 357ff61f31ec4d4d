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
};

static void tell(struct walk *walk, const char *path, const char *after)
{
	size_t length = strlen(path) + strlen(after) + 1;
	char *grown = realloc(walk->text, walk->length + length);
	if (grown == NULL)
		return;
	strcpy(grown + walk->length, path);
	strcat(grown + walk->length, after);
	walk->text = grown;
	walk->length += length;
	walk->count++;
}

/* Whether the job's file system needs the directory: it is one of the places, or leads to one or to the project. */
static bool is_ours(const struct walk *walk, const char *path)
{
	return places_lead_through(path) || path_is_inside(walk->request->project_root, path);
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
		if (fstatat(dirfd(stream), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		AUTO_FREE char *below = path_join(path, entry->d_name);
		if (below == NULL)
			break;
		if (!S_ISDIR(st.st_mode)) {
			tell(walk, below, "");
			continue;
		}
		int inner = openat(dirfd(stream), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (!walk_directory(walk, inner, below) && !is_ours(walk, below))
			tell(walk, below, "/");
	}
	closedir(stream);
	return has_entries;
}

static void walk_layer(struct walk *walk, int layer, const char *path)
{
	if (layer >= 0)
		walk_directory(walk, openat(layer, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), path);
}

struct bytes outside_list(const struct plan *plan, const struct job_request *request, int places, int home)
{
	struct walk walk = { .request = request };
	walk_layer(&walk, home, plan->home);
	walk_layer(&walk, places, "/");
	return (struct bytes){ (unsigned char *)walk.text, walk.length };
}
