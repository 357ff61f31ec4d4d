#include "path.h"

#include <stdlib.h>
#include <string.h>

char *path_join(const char *dir, const char *name)
{
	size_t dir_length = strlen(dir), name_length = strlen(name);
	bool slash = dir_length > 0 && name_length > 0 && dir[dir_length - 1] != '/';
	char *joined = malloc(dir_length + slash + name_length + 1);
	if (joined == NULL)
		return NULL;
	memcpy(joined, dir, dir_length);
	if (slash)
		joined[dir_length] = '/';
	memcpy(joined + dir_length + slash, name, name_length + 1);
	return joined;
}

/* Where the last name of path[first..end) begins to be absent: the end after taking one name away. */
static char *without_last_name(char *first, char *end)
{
	while (end > first && end[-1] != '/')
		end--;
	return end > first ? end - 1 : end;
}

void path_clean(char *path)
{
	const bool is_absolute = path[0] == '/';
	char *const first = path + is_absolute;
	char *end = first;       /* where the cleaned path ends so far */
	char *removable = first; /* what is before this are leading ".." */

	for (const char *from = first, *next; *from; from = next) {
		size_t length = strcspn(from, "/");
		bool is_up = length == 2 && from[0] == '.' && from[1] == '.';
		next = from + length + (from[length] == '/');
		if (length == 0 || (length == 1 && from[0] == '.') || (is_up && is_absolute && end == first))
			continue;
		if (is_up && end > removable) {
			end = without_last_name(removable, end);
			continue;
		}
		if (end > first)
			*end++ = '/';
		memmove(end, from, length);
		end += length;
		if (is_up)
			removable = end;
	}
	if (end == path && *path)
		*end++ = '.';
	*end = 0;
}

const char *path_below(const char *path, const char *root)
{
	size_t length = strlen(root);
	if (length == 1 && root[0] == '/')
		return path[0] == '/' ? path + 1 : NULL;
	if (strncmp(path, root, length) != 0)
		return NULL;
	if (path[length] == 0)
		return path + length;
	return path[length] == '/' ? path + length + 1 : NULL;
}

bool path_is_inside(const char *path, const char *root)
{
	return path_below(path, root) != NULL;
}

bool path_is_name(const char *name, size_t length)
{
	if (length == 0 || (length <= 2 && name[0] == '.' && name[length - 1] == '.'))
		return false;
	return memchr(name, '/', length) == NULL && memchr(name, 0, length) == NULL;
}
