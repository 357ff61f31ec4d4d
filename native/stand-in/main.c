/*
 * Lies over a shell of the system (stage/ puts it there): offers the master the command lines that build tools start,
 * and is the real shell in every other respect, for every other caller.
 */
#include "../shell/command.h"
#include "../shell/local.h"
#include "../shell/parse.h"
#include "../shell/say.h"
#include "caller.h"
#include "image.h"

#include "bytes.h"
#include "path.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash ? slash + 1 : path;
}

/* The path that was executed; of a script's interpreter, the script. */
static const char *executed_path(void)
{
	return (const char *)getauxval(AT_EXECFN);
}

/* To be read; without /proc, as in a bare chroot, by the path that we were executed by. */
static const char *own_image(void)
{
	return access("/proc/self/exe", R_OK) == 0 ? "/proc/self/exe" : executed_path();
}

/* Where we are, in the file system as the build sees it: over the real shell. */
static const char *own_place(void)
{
	static char place[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", place, sizeof place - 1);
	return length > 0 ? place : executed_path();
}

static bool is_same_file(const char *a, const char *b)
{
	struct stat first, second;
	return stat(a, &first) == 0 && stat(b, &second) == 0 && first.st_dev == second.st_dev &&
	       first.st_ino == second.st_ino;
}

/*
 * The name that the caller has for the shell, which stands in front of its messages: "bash" where make was told to look for
 * that on the PATH, "/bin/sh" rather than where that link leads.
 */
static const char *called_shell(const char *called, const char *place)
{
	const char *executed = executed_path();
	if (strcmp(called, base_name(executed)) == 0)
		return called;
	return executed[0] == '/' && is_same_file(executed, place) ? executed : place;
}

static void exec_in(const char *folder, const char *name, char **argv)
{
	AUTO_FREE char *path = path_join(folder, name);
	if (path)
		execv(path, argv);
}

/*
 * With the arguments that we got, argv[0] included, and as far as possible under the name that we were called by: it is
 * the name of the process.
 */
static _Noreturn void become_real_shell(const char *place, char **argv)
{
	char folder[PATH_MAX];
	if (image_folder(own_image(), folder) == 0) {
		exec_in(folder, base_name(executed_path()), argv);
		exec_in(folder, base_name(place), argv);
	}
	int shell = image_load_shell(own_image());
	if (shell >= 0)
		fexecve(shell, argv, environ);
	say("the real shell behind \"", place, "\" cannot be executed: ", strerror(shell < 0 ? -shell : errno), NULL);
	_exit(126);
}

/* By IFS make was brought to start a shell for every line (wrapper/build-environment.ts); its commands never had it. */
static void drop_separators(void)
{
	const char *separators = getenv("IFS");
	if (separators && strcmp(separators, ",") == 0)
		unsetenv("IFS");
}

int main(int argc, char **argv)
{
	const char *place = own_place();
	if (!caller_is_building())
		become_real_shell(place, argv);
	drop_separators();
	if (command_is_alone())
		become_real_shell(place, argv);
	const char *shell = called_shell(argv[0], place);
	int status = command_run_simple(argc, argv, shell);
	if (status >= 0)
		_exit(status);
	if (status == COMMAND_NOT_SIMPLE && parse_is_command(argc, argv)) {
		command_offer(&(struct command){ argc - 1, argv + 1, shell, false });
		local_run_program(shell, argc, argv);
	}
	become_real_shell(place, argv);
}
