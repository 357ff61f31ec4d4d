#include "search.h"

#include "bytes.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_program(const struct stat *status, const char *file)
{
	return S_ISREG(status->st_mode) && access(file, X_OK) == 0;
}

int search_behind(const char *name, const char *path, const char *avoid, struct search *result)
{
	struct stat avoided, status;
	if (stat(avoid, &avoided) < 0)
		return -errno;
	size_t path_size = strlen(path) + 1;
	AUTO_FREE char *rest = calloc(1, path_size), *file = malloc(path_size + strlen(name) + sizeof "./");
	AUTO_FREE char *program = NULL;
	if (rest == NULL || file == NULL)
		return -ENOMEM;

	char *end = rest;
	const char *separator = "";
	for (const char *folder = path;; folder++) {
		size_t length = strcspn(folder, ":");
		/* An empty entry is the current folder. */
		sprintf(file, "%.*s/%s", length ? (int)length : 1, length ? folder : ".", name);
		bool is_there = stat(file, &status) == 0;
		if (!is_there || status.st_dev != avoided.st_dev || status.st_ino != avoided.st_ino) {
			end += sprintf(end, "%s%.*s", separator, (int)length, folder);
			separator = ":";
			if (program == NULL && is_there && is_program(&status, file) && (program = strdup(file)) == NULL)
				return -ENOMEM;
		}
		folder += length;
		if (*folder == 0)
			break;
	}
	*result = (struct search){ program, rest };
	program = rest = NULL;
	return 0;
}
