#include "local.h"

#include "fd.h"
#include "parse.h"
#include "say.h"
#include "trifles.h"
#include "words.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

extern char **environ;

/* Where every system has a shell. Further ones are needed only where we were put in the place of /bin/sh itself. */
static const char *const usual_shells[] = { USUAL_SHELL, "/bin/dash", "/bin/bash" };

void local_numbered_path(char *path, const char *before, int number, const char *after)
{
	char digits[16], *digit = digits + sizeof digits;
	*--digit = 0;
	do
		*--digit = (char)('0' + number % 10);
	while ((number /= 10) > 0);
	strcpy(path, before);
	strcat(path, digit);
	strcat(path, after);
}

const char *local_variable(const char *name)
{
	const char *value = getenv(name);
	return value && *value ? value : NULL;
}

static bool is_ourselves(const char *path)
{
	struct stat self, other;
	return stat("/proc/self/exe", &self) == 0 && stat(path, &other) == 0 && self.st_dev == other.st_dev &&
	       self.st_ino == other.st_ino;
}

const char *local_real_shell(const char *wanted)
{
	if (wanted && wanted[0] != '/')
		say("TERMITE_SHELL is no absolute path: \"", wanted, "\": using /bin/sh", NULL);
	else if (wanted && !is_ourselves(wanted))
		return wanted;
	for (size_t i = 0; i < sizeof usual_shells / sizeof *usual_shells; i++) {
		if (!is_ourselves(usual_shells[i]))
			return usual_shells[i];
	}
	say("no real shell found: set TERMITE_SHELL to one", NULL);
	_exit(127);
}

static bool is_of_path(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("_./-", c));
}

/* The next place from `at` on where the whole path stands, or NULL. */
static const char *find_path(const char *text, const char *at, const char *path)
{
	size_t length = strlen(path);
	for (; (at = strstr(at, path)) != NULL; at++) {
		if ((at == text || !is_of_path(at[-1])) && !is_of_path(at[length]))
			return at;
	}
	return NULL;
}

/* A copy that is never freed: we are about to become somebody else. NULL when memory is short. */
static char *with_path(const char *text, const char *own, const char *shell)
{
	size_t own_length = strlen(own), shell_length = strlen(shell), count = 0;
	for (const char *at = text; (at = find_path(text, at, own)) != NULL; at += own_length)
		count++;
	char *copy = malloc(strlen(text) + count * shell_length + 1), *end = copy;
	if (copy == NULL)
		return NULL;
	const char *rest = text;
	for (const char *at = text; (at = find_path(text, at, own)) != NULL; at += own_length, rest = at) {
		memcpy(end, rest, (size_t)(at - rest));
		end += at - rest;
		memcpy(end, shell, shell_length);
		end += shell_length;
	}
	strcpy(end, rest);
	return copy;
}

void local_name_shell(int argc, char **argv, const char *own, const char *shell)
{
	for (int i = 1; own[0] == '/' && i < argc; i++) {
		char *named = find_path(argv[i], argv[i], own) ? with_path(argv[i], own, shell) : NULL;
		if (named)
			argv[i] = named;
	}
}

_Noreturn void local_run_shell(const char *shell, char **argv)
{
	/* exec does not write to its strings; its type is older than const. */
	memcpy(&argv[0], &shell, sizeof shell);
	execv(shell, argv);
	int failed = errno;
	say("exec \"", shell, "\": ", strerror(failed), NULL);
	_exit(failed == ENOENT ? 127 : 126);
}

/* Not so: scripts below make, whose own shell would have started one for each line, with $PWD and all. */
static bool is_started_by_make(void)
{
	char path[32], name[8];
	local_numbered_path(path, "/proc/", getppid(), "/comm");
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? -1 : read(fd, name, sizeof name);
	return (length == 5 && memcmp(name, "make\n", 5) == 0) || (length == 6 && memcmp(name, "gmake\n", 6) == 0);
}

/* Of the lines "SHELL FOLDER" the one of the folder that we are in, else the line "SHELL": its shell, or NULL. */
static const char *shell_of_folder(const char *lines)
{
	static char shell[PATH_MAX];
	char folder[PATH_MAX];
	if (getcwd(folder, sizeof folder) == NULL)
		return NULL;
	for (const char *line = lines; *line;) {
		size_t length = strcspn(line, "\n"), shell_length = strcspn(line, " \n");
		const char *its_folder = line + shell_length + 1;
		bool is_it = length == shell_length + 1 + strlen(folder) && memcmp(its_folder, folder, strlen(folder)) == 0;
		if ((is_it || length == shell_length) && shell_length < sizeof shell) {
			memcpy(shell, line, shell_length);
			shell[shell_length] = 0;
		}
		if (is_it)
			break;
		line += length + (line[length] == '\n');
	}
	return *shell ? shell : NULL;
}

const char *local_wanted_shell(bool is_fresh)
{
	const char *lines = local_variable("TERMITE_SHELLS");
	const char *shell = lines && is_fresh && is_started_by_make() ? shell_of_folder(lines) : NULL;
	/* For a script that is given our name by $(SHELL), wherever it is run. */
	if (shell)
		setenv("TERMITE_SHELL", shell, 1);
	return local_variable("TERMITE_SHELL");
}

bool local_run_trifles(char **argv, const char *shell)
{
	if (!parse_is_plain_shell(shell, environ) || !trifles_are_all(argv[2]))
		return false;
	const char *rest = trifles_run(argv[2]);
	if (rest)
		memmove(argv[2], rest, strlen(rest) + 1);
	return rest == NULL;
}

void local_run_program(const char *shell, int argc, char **argv)
{
	if (argc != 3 || (strcmp(argv[1], "-c") != 0 && strcmp(argv[1], "-ec") != 0))
		return;
	if (local_run_trifles(argv, shell))
		_exit(0);
	/* Any other shell, and any other option, make takes for a wish to have a shell. */
	if (strcmp(shell, USUAL_SHELL) != 0)
		return;
	/* Where there is no PATH, everybody has another idea of what it would be. */
	if (getenv("PATH") == NULL || !is_started_by_make())
		return;
	char **words = words_of_program(argv[2]);
	if (words != NULL)
		execvp(words[0], words);
	free(words);
}

_Noreturn void local_run(const char *shell, int argc, char **argv)
{
	local_run_program(shell, argc, argv);
	local_run_shell(shell, argv);
}
