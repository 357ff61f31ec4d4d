/*
 * Is loaded into make (LD_PRELOAD), for recipe lines that are too long for one argument (128 KiB). make starts simple lines of
 * any length itself, word by word, but not where SHELL is ours: there each line is the one argument of a shell, and the
 * kernel refuses that. Here such a line goes into a file in memory, which our shell is told to read.
 *
 * Only make keeps it: the variable is taken out of make's environment before make reads it, and our shell puts it back for
 * lines that run a make (shell/preload.c). No library is linked, so that it fits every C library.
 */
#include <dlfcn.h>
#include <errno.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

extern char **environ;

/* MAX_ARG_STRLEN of the kernel: 32 pages, the NUL included. Source: include/uapi/linux/binfmts.h. */
#define LONGEST_PAGES 32

typedef int spawn_function(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *,
			   char *const[], char *const[]);
typedef int exec_function(const char *, char *const[]);

static const char variable[] = "LD_PRELOAD=";
static const char *own_path;
static const char *reading_shell;
static pid_t make_pid;

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

static bool is_make(void)
{
	const char *name = base_name((const char *)getauxval(AT_EXECFN));
	return strcmp(name, "make") == 0 || strcmp(name, "gmake") == 0;
}

/* Takes our path, which stands first, out of the variable; in place, as make reads what main() was given. */
static void forget(char **entry, size_t length)
{
	char *value = *entry + sizeof variable - 1;
	const char *rest = value + length + (value[length] != 0);
	if (*rest) {
		memmove(value, rest, strlen(rest) + 1);
		return;
	}
	for (; *entry; entry++)
		entry[0] = entry[1];
}

__attribute__((constructor)) static void begin(void)
{
	own_path = getenv("TERMITE_PRELOAD");
	reading_shell = getenv("TERMITE_LINE_SHELL");
	if (own_path == NULL || reading_shell == NULL || !is_make())
		return;
	make_pid = getpid();
	size_t length = strlen(own_path);
	for (char **entry = environ; *entry; entry++) {
		const char *value = *entry + sizeof variable - 1;
		if (strncmp(*entry, variable, sizeof variable - 1) == 0 && strncmp(value, own_path, length) == 0) {
			forget(entry, length);
			return;
		}
	}
}

/* Whether these are the arguments of a shell that stands for /bin/sh, and the line cannot be one of them. */
static bool is_too_long(const char *path, char *const argv[])
{
	return make_pid != 0 && argv[0] && argv[1] && argv[2] && !argv[3] && argv[1][0] == '-' &&
	       (strcmp(path, reading_shell) == 0 || strcmp(path, "/bin/sh") == 0) &&
	       strlen(argv[2]) >= (size_t)(LONGEST_PAGES * sysconf(_SC_PAGESIZE));
}

/* A file in memory with the line, at its beginning. -1 where there can be none. */
static int hold(const char *line)
{
	int fd = memfd_create("line", 0);
	for (size_t left = strlen(line); fd >= 0 && left > 0;) {
		ssize_t count = write(fd, line, left);
		if (count < 0 && errno == EINTR)
			continue;
		if (count <= 0) {
			close(fd);
			return -1;
		}
		line += count;
		left -= (size_t)count;
	}
	if (fd >= 0)
		lseek(fd, 0, SEEK_SET);
	return fd;
}

/* What our shell is called with instead. */
struct call {
	char *argv[4];
	char option[8], number[12];
};

static void make_call(struct call *call, char *argv0, int fd)
{
	memcpy(call->option, "--line", sizeof "--line");
	char *digit = call->number + sizeof call->number;
	*--digit = 0;
	do
		*--digit = (char)('0' + fd % 10);
	while ((fd /= 10) > 0);
	call->argv[0] = argv0;
	call->argv[1] = call->option;
	call->argv[2] = digit;
	call->argv[3] = NULL;
}

static void *next(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes,
		char *const argv[], char *const envp[])
{
	spawn_function *spawn = (spawn_function *)next("posix_spawn");
	int fd = is_too_long(path, argv) ? hold(argv[2]) : -1;
	if (fd < 0)
		return spawn(pid, path, actions, attributes, argv, envp);
	struct call call;
	make_call(&call, argv[0], fd);
	int failed = spawn(pid, reading_shell, actions, attributes, call.argv, envp);
	close(fd);
	return failed;
}

int execvp(const char *path, char *const argv[])
{
	exec_function *exec = (exec_function *)next("execvp");
	/* make becomes itself again when it has made its makefiles. */
	if (make_pid != 0 && getpid() == make_pid && getenv("LD_PRELOAD") == NULL)
		setenv("LD_PRELOAD", own_path, 1);
	int fd = is_too_long(path, argv) ? hold(argv[2]) : -1;
	if (fd < 0)
		return exec(path, argv);
	struct call call;
	make_call(&call, argv[0], fd);
	return exec(reading_shell, call.argv);
}
