#include "../shell/trifles.h"
#include "tap.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void takes(const char *line)
{
	tap_ok(trifles_are_all(line), "trifles_are_all(): <%s>", line);
}

static void leaves(const char *line)
{
	tap_ok(!trifles_are_all(line), "trifles_are_all() leaves to others: <%s>", line);
}

static void test_lines(void)
{
	static const char *const trifles[] = {
		"mv a b", "mv -f a.Tpo a.Po", "/bin/mv a b", "/usr/bin/mkdir -p 'lib'", "rm -f a b c", "touch stamp",
		"echo \"  GEN     \" lib/a.h;/usr/bin/mkdir -p 'lib'", "rm -f a && mv b c && touch d", ": ; true ;mv a b;", "mkdir -p a b/c",
		"  mv\t'a b'  \"c d\" ", "echo", "echo a;", ":", "rm -f a;:",
	};
	static const char *const others[] = {
		"", ";", "mv", "mv a", "mv a b c", "mv -i a b", "mv -f -f a b", "mv -- a b", "mv a b/", "mv a/ b", "mv '' b", "mkdir a",
		"mkdir -p", "mkdir -p a/", "mkdir -pv a", "mkdir -m 700 -p a", "rm a", "rm -rf a", "rm -f", "rm -f -- a", "rm -f *", "rm -f a/",
		"touch", "touch -r a b", "touch a > b", "mv a b &", "mv a b & touch c", "mv a b || touch c", "mv a b | touch c", "mv a b;; :",
		"mv a b &&", "mv a b && ", "mv a b;\ntouch c", "mv a b\n", "mv $a b", "mv \"$a\" b", "mv a b # c", "(mv a b)", "{ mv a b; }",
		"A=b mv a b", "/opt/bin/mv a b", "./mv a b", "bin/mv a b", "/bin/echo a", "/bin/true", "mvx a b", "cp a b", "echo -n a; mv a b",
		"mv a b; gcc c.c", "gcc c.c; mv a b", "! mv a b", "if mv a b; then :; fi", "true x; mv a b", "mv a b;cd c;mv d e", "mv a\\ b c",
		"mv ~/a b", "exec mv a b", "command mv a b", "mv a b 2>&1",
	};
	for (size_t i = 0; i < sizeof trifles / sizeof *trifles; i++)
		takes(trifles[i]);
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		leaves(others[i]);
}

static void make_file(const char *name, const char *content)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (fd < 0 || write(fd, content, strlen(content)) != (ssize_t)strlen(content))
		abort();
	close(fd);
}

/* The content of a file; empty when there is none. */
static const char *content_of(const char *name)
{
	static char content[64];
	int fd = open(name, O_RDONLY);
	ssize_t length = fd < 0 ? -1 : read(fd, content, sizeof content - 1);
	content[length > 0 ? length : 0] = 0;
	if (fd >= 0)
		close(fd);
	return content;
}

static void does(const char *line)
{
	const char *rest = trifles_run(line);
	tap_ok(rest == NULL, "trifles_run() does all of <%s>%s%s", line, rest ? ", but not " : "", rest ? rest : "");
}

static void stops(const char *line, const char *wanted)
{
	const char *rest = trifles_run(line);
	tap_ok(rest && strcmp(rest, wanted) == 0, "trifles_run() of <%s> leaves <%s>: <%s>", line, wanted, rest ? rest : "");
}

static void test_effects(void)
{
	struct stat status, other;
	make_file("a", "one");
	does("mv a b");
	tap_ok(access("a", F_OK) != 0 && strcmp(content_of("b"), "one") == 0, "mv moves to a new name");
	make_file("a", "two");
	does("mv a b;mkdir -p d && mkdir -p d;touch b c");
	tap_ok(strcmp(content_of("b"), "two") == 0, "mv replaces a file");
	tap_ok(stat("d", &status) == 0 && S_ISDIR(status.st_mode) && (status.st_mode & 0777) == 0755, "mkdir makes a folder");
	tap_ok(stat("c", &status) == 0 && status.st_size == 0 && (status.st_mode & 0777) == 0644, "touch makes a file");
	does("rm -f c nothing");
	tap_ok(access("c", F_OK) != 0, "rm removes a file");

	if (symlink("nowhere", "l") != 0 || symlink("b", "to-b") != 0 || link("b", "h") != 0)
		abort();
	stops("mv nothing x", "mv nothing x");
	stops("mv b d", "mv b d");
	stops("mv d e", "mv d e");
	stops("mv b l", "mv b l");
	stops("mv b h", "mv b h");
	stops("mv -f to-b ./b", "mv -f to-b ./b");
	tap_ok(stat("b", &status) == 0 && stat("h", &other) == 0 && status.st_ino == other.st_ino, "mv leaves names of one file alone");
	stops("mkdir -p b", "mkdir -p b");
	stops("mkdir -p x/y", "mkdir -p x/y");
	stops("mkdir -p l", "mkdir -p l");
	stops("rm -f d", "rm -f d");
	stops("touch d x", "touch d x");
	stops("touch x/y", "touch x/y");
	stops("mv b c; rm -f d; touch never", " rm -f d; touch never");
	tap_ok(access("c", F_OK) == 0 && access("never", F_OK) != 0, "what comes before is done, what comes behind is not");
	does("mv l m && rm -f m h");
}

static void test_programs(void)
{
	if (mkdir("bin", 0755) != 0 || symlink("/bin/true", "bin/mv") != 0)
		abort();
	char *here = getcwd(NULL, 0), path[4200];
	snprintf(path, sizeof path, "%s/bin:/usr/bin:/bin", here);
	setenv("PATH", path, 1);
	make_file("a", "three");
	stops("mv a z", "mv a z");
	does("/bin/mv a z");
	does("rm -f z");
	setenv("PATH", "bin:/usr/bin", 1);
	stops("rm -f z", "rm -f z");
	setenv("PATH", "/nowhere:/usr/bin:/bin", 1);
	does("rm -f z");
	unsetenv("PATH");
	stops("rm -f z", "rm -f z");
	setenv("PATH", "/usr/bin:/bin", 1);
	setenv("LD_PRELOAD", "libfake.so", 1);
	stops("rm -f z", "rm -f z");
	unsetenv("LD_PRELOAD");
	free(here);
}

int main(void)
{
	char folder[] = "/tmp/termite-trifles-XXXXXX";
	umask(022);
	setenv("PATH", "/usr/bin:/bin", 1);
	test_lines();
	if (mkdtemp(folder) == NULL || chdir(folder) != 0)
		abort();
	test_effects();
	test_programs();
	char clean[64];
	snprintf(clean, sizeof clean, "rm -rf %s", folder);
	if (chdir("/") != 0 || system(clean) != 0)
		abort();
	return tap_done();
}
