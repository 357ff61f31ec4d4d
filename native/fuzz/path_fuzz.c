/* Paths as text, and the socket of a project: two strings, divided by a newline. */
#include "fuzz.h"

#include "../shell/project.h"
#include "fake.h"
#include "path.h"

#include <errno.h>

static void clean(const char *path)
{
	AUTO_FREE char *cleaned = strdup(path);
	REQUIRE(cleaned != NULL);
	path_clean(cleaned);
	size_t length = strlen(cleaned);
	REQUIRE(length <= strlen(path) && (cleaned[0] == '/') == (path[0] == '/'));
	REQUIRE(strstr(cleaned, "//") == NULL && strstr(cleaned, "/./") == NULL);
	REQUIRE(length <= 1 || cleaned[length - 1] != '/');
	REQUIRE(cleaned[0] != '/' || strstr(cleaned, "/../") == NULL);
	AUTO_FREE char *again = strdup(cleaned);
	path_clean(again);
	REQUIRE(strcmp(again, cleaned) == 0);
	REQUIRE(path_is_inside(cleaned, cleaned));
}

static void join(const char *a, const char *b)
{
	AUTO_FREE char *joined = path_join(a, b);
	REQUIRE(joined != NULL && strlen(joined) <= strlen(a) + strlen(b) + 1);
	const char *below = path_below(a, b);
	REQUIRE(below == NULL || (below >= a && below <= a + strlen(a)));
	(void)path_is_name(a, strlen(a));
}

static void socket_of(const char *cache, const char *root)
{
	AUTO_FREE char *path = malloc(PATH_MAX + PROJECT_SOCKET_MAX);
	REQUIRE(path != NULL);
	fake_variable = *cache ? cache : NULL;
	int failed = project_socket(path, root, (dev_t)-1, (ino_t)-1);
	REQUIRE(failed == 0 || failed == -ENOENT || failed == -ENAMETOOLONG);
	REQUIRE(failed || strlen(path) < PATH_MAX + PROJECT_SOCKET_MAX);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	AUTO_FREE char *first = bytes_to_string((struct bytes){ data, size });
	if (first == NULL)
		return 0;
	size_t length = strcspn(first, "\n");
	AUTO_FREE char *second = strdup(first[length] ? first + length + 1 : "");
	REQUIRE(second != NULL);
	first[length] = 0;
	clean(first);
	join(first, second);
	socket_of(first, second);
	return 0;
}
