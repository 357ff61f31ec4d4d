#include "../watch/watcher.h"
#include "../watch/writers.h"
#include "fd.h"
#include "tap.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>

static char base[] = "/tmp/termite-watcher-test-XXXXXX";

/* A path below the test's directory; the last eight of them stay valid. */
static const char *at(const char *relative)
{
	static char paths[8][256];
	static unsigned next;
	char *path = paths[next++ % 8];
	snprintf(path, sizeof paths[0], "%s/%s", base, relative);
	return path;
}

static bool write_to(const char *path)
{
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	return fd >= 0 && write(fd, "x", 1) == 1;
}

static bool make_dirs(const char *relative)
{
	char path[128];
	snprintf(path, sizeof path, "%s", relative);
	for (char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		mkdir(at(path), 0755);
		*slash = '/';
	}
	return mkdir(at(relative), 0755) == 0;
}

static bool is_path(const void *item, const void *key)
{
	const struct watcher_path *path = item;
	const char *wanted = key;
	return path->length == strlen(wanted) && memcmp(path->text, wanted, path->length) == 0;
}

/* Whether exactly these relative paths, ending with NULL, have changed since the last time. */
static bool has_changed(struct watcher *watcher, const char *const wanted[])
{
	size_t count = 0;
	watcher_drain(watcher);
	bool same = !watcher->events_lost;
	for (; wanted[count]; count++) {
		const char *path = at(wanted[count]);
		same &= table_find(&watcher->changed, table_hash(bytes_of(path), 0), is_path, path) != NULL;
	}
	same &= watcher->changed.count == count;
	for (size_t i = 0; !same && i < watcher->changed.capacity; i++) {
		const struct watcher_path *path = watcher->changed.slots[i].item;
		if (path)
			printf("# changed: %.*s\n", (int)path->length, path->text);
	}
	watcher_forget_changed(watcher);
	return same;
}
#define CHANGED(...) has_changed(&watcher, (const char *const[]){ __VA_ARGS__ NULL })

static void forget(struct watcher *watcher)
{
	watcher_drain(watcher);
	watcher_forget_changed(watcher);
}

static struct watcher watch_tree(const char *root, const char *excluded)
{
	struct watcher watcher;
	size_t count = 0;
	struct bytes paths[] = { bytes_of(excluded) };
	bool done = watcher_open(&watcher) == 0 &&
		    watcher_add_tree(&watcher, bytes_of(at(root)), paths, *excluded ? 1 : 0, &count) == 0;
	tap_ok(done, "watcher_add_tree() watches \"%s\"", root);
	return watcher;
}

static void test_files(void)
{
	make_dirs("files");
	struct watcher watcher = watch_tree("files", "");
	tap_ok(CHANGED(), "watcher_drain() finds nothing when nothing was done");
	write_to(at("files/a"));
	tap_ok(CHANGED("files/a", ), "watcher_drain() finds a new file, once");

	AUTO_CLOSE int fd = open(at("files/a"), O_WRONLY | O_APPEND | O_CLOEXEC);
	forget(&watcher);
	bool written = write(fd, "y", 1) == 1;
	tap_ok(written && CHANGED("files/a", ), "watcher_drain() finds a write to a file that stays open");
	chmod(at("files/a"), 0600);
	tap_ok(CHANGED("files/a", ), "watcher_drain() finds a chmod");
	rename(at("files/a"), at("files/b"));
	tap_ok(CHANGED("files/a", "files/b", ), "watcher_drain() finds both names of a rename");
	unlink(at("files/b"));
	tap_ok(CHANGED("files/b", ), "watcher_drain() finds a removed file");
	watcher_close(&watcher);
}

/* Whether it is the one path that has changed, and was written to or not. */
static bool is_written(struct watcher *watcher, const char *relative, bool expected)
{
	const char *path = at(relative);
	watcher_drain(watcher);
	const struct watcher_path *found =
		table_find(&watcher->changed, table_hash(bytes_of(path), 0), is_path, path);
	bool is_as_expected = watcher->changed.count == 1 && found && found->is_written == expected;
	watcher_forget_changed(watcher);
	return is_as_expected;
}

static void test_writes(void)
{
	make_dirs("writes");
	write_to(at("writes/a"));
	struct watcher watcher = watch_tree("writes", "");
	chmod(at("writes/a"), 0600);
	tap_ok(is_written(&watcher, "writes/a", false), "watcher_drain() tells a chmod from a write");
	write_to(at("writes/a"));
	chmod(at("writes/a"), 0644);
	tap_ok(is_written(&watcher, "writes/a", true), "watcher_drain() tells a write from a chmod");

	int fd = open(at("writes/a"), O_RDWR | O_CLOEXEC);
	char *mapped = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	forget(&watcher);
	tap_ok(mapped != MAP_FAILED && writers_has(at("writes/a")), "writers_has() finds a file that is mapped");
	munmap(mapped, 1);
	tap_ok(is_written(&watcher, "writes/a", true), "watcher_drain() finds the end of a mapping");
	tap_ok(!writers_has(at("writes/a")), "writers_has() finds nobody who has let go");
	tap_ok(!writers_has(at("writes/none")), "writers_has() finds nobody where there is no file");
	watcher_close(&watcher);
}

static void test_directories(void)
{
	make_dirs("tree/old/sub");
	make_dirs("outside");
	struct watcher watcher = watch_tree("tree", "");

	make_dirs("tree/new/x/y");
	forget(&watcher);
	write_to(at("tree/new/x/y/f"));
	tap_ok(CHANGED("tree/new/x/y/f", ), "watcher_drain() watches directories made all at once");

	rename(at("tree/old"), at("tree/moved"));
	forget(&watcher);
	write_to(at("tree/moved/sub/f"));
	tap_ok(CHANGED("tree/moved/sub/f", ), "watcher_drain() follows a moved directory");

	rename(at("tree/moved"), at("outside/moved"));
	tap_ok(CHANGED("tree/moved", ), "watcher_drain() finds a directory that left");
	write_to(at("outside/moved/sub/g"));
	tap_ok(CHANGED(), "watcher_drain() is silent about a directory that left");
	rename(at("outside/moved"), at("tree/back"));
	tap_ok(CHANGED("tree/back", ), "watcher_drain() finds a directory that came");
	write_to(at("tree/back/sub/g"));
	tap_ok(CHANGED("tree/back/sub/g", ), "watcher_drain() watches a directory that came");

	make_dirs("tree/empty");
	rename(at("tree/back"), at("tree/empty"));
	forget(&watcher);
	write_to(at("tree/empty/sub/h"));
	tap_ok(CHANGED("tree/empty/sub/h", ), "watcher_drain() follows a move over an empty directory");

	/* All of it between two questions: whatever the events say in between, the end must be watched. */
	rename(at("tree/empty"), at("tree/a"));
	make_dirs("tree/a/deep/er");
	rename(at("tree/a/deep"), at("tree/new/deep"));
	rename(at("tree/a"), at("tree/new/deep/er/a"));
	forget(&watcher);
	write_to(at("tree/new/deep/er/a/sub/i"));
	tap_ok(CHANGED("tree/new/deep/er/a/sub/i", ), "watcher_drain() sorts out several moves at once");
	watcher_close(&watcher);
}

static void test_excluded(void)
{
	make_dirs("excluded/.git/objects");
	make_dirs("excluded/sub/.git");
	struct watcher watcher = watch_tree("excluded", ".git");
	write_to(at("excluded/.git/objects/a"));
	write_to(at("excluded/.git/index"));
	chmod(at("excluded/.git"), 0700);
	tap_ok(CHANGED(), "watcher_drain() is silent about excluded paths");
	write_to(at("excluded/sub/.git/index"));
	tap_ok(CHANGED("excluded/sub/.git/index", ), "watcher_drain() takes exclusions as paths, not as names");
	watcher_close(&watcher);
}

static void test_single_directories(void)
{
	make_dirs("dirs/sub");
	struct watcher watcher;
	watcher_open(&watcher);
	tap_ok(watcher_add_dir(&watcher, bytes_of(at("dirs"))) == 0, "watcher_add_dir() watches a directory");
	write_to(at("dirs/f"));
	write_to(at("dirs/sub/f"));
	tap_ok(CHANGED("dirs/f", ), "watcher_drain() finds entries of the directory, not what is below");
	watcher_remove_dir(&watcher, bytes_of(at("dirs")));
	write_to(at("dirs/g"));
	tap_ok(CHANGED(), "watcher_remove_dir() ends it");

	watcher_add_dir(&watcher, bytes_of(at("dirs")));
	rename(at("dirs"), at("dirs2"));
	tap_ok(CHANGED("dirs", ), "watcher_drain() finds a watched directory that was moved away");
	write_to(at("dirs2/g"));
	tap_ok(CHANGED(), "watcher_drain() no longer watches it then");

	size_t count;
	watcher_add_dir(&watcher, bytes_of(at("dirs2/sub")));
	watcher_add_tree(&watcher, bytes_of(at("dirs2")), NULL, 0, &count);
	write_to(at("dirs2/sub/g"));
	tap_ok(count == 2 && CHANGED("dirs2/sub/g", ), "watcher_drain() tells once what is watched twice");
	watcher_remove_dir(&watcher, bytes_of(at("dirs2/sub")));
	write_to(at("dirs2/sub/h"));
	tap_ok(CHANGED("dirs2/sub/h", ), "watcher_remove_dir() leaves the tree alone");
	watcher_close(&watcher);
}

static void test_failures(void)
{
	struct watcher watcher;
	watcher_open(&watcher);
	int failed = watcher_add_dir(&watcher, bytes_of(at("none")));
	tap_ok(failed == -ENOENT && strstr(watcher.message, "none\": No such file"),
	       "watcher_add_dir() names call and path: %s", watcher.message);
	tap_ok(watcher_add_dir(&watcher, bytes_of("tmp")) == -EINVAL, "watcher_add_dir() refuses relative paths");
	write_to(at("file"));
	tap_ok(watcher_add_dir(&watcher, bytes_of(at("file"))) == -ENOTDIR, "watcher_add_dir() refuses files");
	watcher_close(&watcher);
}

static void test_overflow(void)
{
	make_dirs("overflow/a");
	struct watcher watcher = watch_tree("overflow", "");
	long limit = 16384;
	FILE *file = fopen("/proc/sys/fs/inotify/max_queued_events", "r");
	if (file == NULL || fscanf(file, "%ld", &limit) != 1)
		printf("# the limit is not known\n");
	if (file)
		fclose(file);
	/* Two names in turn, as equal events one after the other are merged. */
	for (long i = 0; i < limit; i++)
		chmod(at(i % 2 ? "overflow" : "overflow/a"), 0755);
	make_dirs("overflow/b/c");
	watcher_drain(&watcher);
	tap_ok(watcher.events_lost && watcher.changed.count == 0, "watcher_drain() says so when events were lost");
	watcher_forget_changed(&watcher);
	write_to(at("overflow/b/c/f"));
	tap_ok(CHANGED("overflow/b/c/f", ), "watcher_drain() watches everything again after that");
	watcher_close(&watcher);
}

int main(void)
{
	if (mkdtemp(base) == NULL) {
		printf("Bail out! mkdtemp %s: %s\n", base, strerror(errno));
		return 1;
	}
	umask(022);
	test_files();
	test_writes();
	test_directories();
	test_excluded();
	test_single_directories();
	test_failures();
	test_overflow();
	char command[64];
	snprintf(command, sizeof command, "rm -rf %s", base);
	tap_ok(system(command) == 0, "the test's directory is removed");
	return tap_done();
}
