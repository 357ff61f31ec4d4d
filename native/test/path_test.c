#include "path.h"
#include "tap.h"

#include <string.h>

static void test_join(const char *dir, const char *name, const char *wanted)
{
	char *joined = path_join(dir, name);
	tap_ok(joined && strcmp(joined, wanted) == 0, "path_join() of \"%s\" and \"%s\" is \"%s\"", dir, name, wanted);
	free(joined);
}

static void test_clean(const char *path, const char *wanted)
{
	char *copy = strdup(path);
	path_clean(copy);
	tap_ok(strcmp(copy, wanted) == 0, "path_clean() makes \"%s\" of \"%s\" (got \"%s\")", wanted, path, copy);
	free(copy);
}

static void test_below(const char *path, const char *root, const char *wanted)
{
	const char *rest = path_below(path, root);
	bool same = wanted ? rest && strcmp(rest, wanted) == 0 : rest == NULL;
	tap_ok(same, "path_below() of \"%s\" below \"%s\" is %s", path, root, wanted ? wanted : "NULL");
	tap_ok(path_is_inside(path, root) == (wanted != NULL), "path_is_inside() agrees");
}

static void test_name(const char *name, size_t length, bool wanted)
{
	tap_ok(path_is_name(name, length) == wanted, "path_is_name() of \"%s\"", name);
}

int main(void)
{
	test_join("/a", "b", "/a/b");
	test_join("/a/", "b", "/a/b");
	test_join("/", "b", "/b");
	test_join("", "b", "b");
	test_join("/a", "", "/a");
	test_join("", "", "");

	test_clean("/", "/");
	test_clean("", "");
	test_clean(".", ".");
	test_clean("./", ".");
	test_clean("//", "/");
	test_clean("///a//b///", "/a/b");
	test_clean("/a/./b/.", "/a/b");
	test_clean("/a/../b", "/b");
	test_clean("/a/..", "/");
	test_clean("/..", "/");
	test_clean("/../../a", "/a");
	test_clean("/a/b/../../..", "/");
	test_clean("a/b/..", "a");
	test_clean("a/..", ".");
	test_clean("a/../..", "..");
	test_clean("../a/../b", "../b");
	test_clean("../../a", "../../a");
	test_clean("../..", "../..");
	test_clean("a/../../b", "../b");
	test_clean("/a/...", "/a/...");
	test_clean("/a/..b/.c", "/a/..b/.c");
	test_clean("abc/def", "abc/def");

	test_below("/a/b", "/a", "b");
	test_below("/a/b/c", "/a", "b/c");
	test_below("/a", "/a", "");
	test_below("/ab", "/a", NULL);
	test_below("/", "/a", NULL);
	test_below("/a", "/", "a");
	test_below("/", "/", "");
	test_below("a", "/", NULL);

	test_name("a", 1, true);
	test_name("", 0, false);
	test_name(".", 1, false);
	test_name("..", 2, false);
	test_name("...", 3, true);
	test_name(".a", 2, true);
	test_name("a.", 2, true);
	test_name("a/b", 3, false);
	test_name("/", 1, false);
	test_name("a\0b", 3, false);
	return tap_done();
}
