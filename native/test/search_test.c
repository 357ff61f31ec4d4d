#include "../launcher/search.h"
#include "tap.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void make_file(const char *path, mode_t mode)
{
	int fd = open(path, O_CREAT | O_WRONLY, mode);
	if (fd < 0)
		abort();
	close(fd);
}

/* What is found for "cc" in that $PATH, "-" for nothing, and what is left of it. */
static void finds(const char *path, const char *program, const char *rest)
{
	struct search found;
	int failed = search_behind("cc", path, "launcher", &found);
	tap_ok(failed == 0 && strcmp(found.program ? found.program : "-", program) == 0 && strcmp(found.path, rest) == 0,
	       "search_behind() finds %s in <%s>", program, path);
	free(found.program);
	free(found.path);
}

int main(void)
{
	char folder[] = "/tmp/search-test-XXXXXX";
	if (mkdtemp(folder) == NULL || chdir(folder) < 0)
		abort();
	static const char *const folders[] = { "ours", "also-ours", "real", "second", "plain", "dir", "dir/cc", "none" };
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
		mkdir(folders[i], 0755);
	make_file("launcher", 0755);
	make_file("real/cc", 0755);
	make_file("second/cc", 0755);
	make_file("plain/cc", 0644);
	if (symlink("../launcher", "ours/cc") < 0 || link("launcher", "also-ours/cc") < 0)
		abort();

	finds("real:second", "real/cc", "real:second");
	finds("ours:real:second", "real/cc", "real:second");
	finds("second:ours:real", "second/cc", "second:real");
	finds("ours:also-ours:real:ours", "real/cc", "real");
	finds("none:plain:dir:ours:real", "real/cc", "none:plain:dir:real");
	finds("ours", "-", "");
	finds("ours:none", "-", "none");
	finds("", "-", "");
	if (chdir("real") < 0)
		abort();
	struct search found;
	tap_ok(search_behind("cc", ":../ours:x", "../launcher", &found) == 0 && strcmp(found.program, "./cc") == 0 &&
		       strcmp(found.path, ":x") == 0,
	       "search_behind() takes an empty entry for the current folder");
	free(found.program);
	free(found.path);
	tap_ok(search_behind("cc", "real", "no-such-file", &found) < 0, "search_behind() fails without the avoided file");

	char remove[64];
	snprintf(remove, sizeof remove, "rm -r %s", folder);
	return tap_done() | system(remove);
}
