/*
 * Stands in front of a compiler, or of any program: offers the command to the master, and where nobody takes it becomes the
 * program. "termite-launcher PROGRAM [ARGUMENTS...]", or under the program's own name by a link in a folder of the $PATH:
 * then the program is the next one of that name.
 */
#include "../shell/command.h"
#include "../shell/local.h"
#include "../shell/say.h"
#include "search.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char own_name[] = "termite-launcher";

static void offer(int argument_count, char **arguments)
{
	command_offer(&(struct command){ argument_count, arguments, "/bin/sh", true });
}

/* The program is looked for on the PATH when it has no slash. */
static _Noreturn void become(const char *program, char **argv)
{
	execvp(program, argv);
	int failed = errno;
	say("exec \"", program, "\": ", strerror(failed), NULL);
	_exit(failed == ENOENT ? 127 : 126);
}

/*
 * On an executor as well as here: nobody who gets the command is to find us again, so he is told the program's whole path,
 * and a $PATH that does not lead to us. Here its argv[0] is what the caller said.
 */
static _Noreturn void masquerade(const char *name, int argc, char **argv)
{
	const char *path = local_variable("PATH");
	struct search found;
	int failed = search_behind(name, path ? path : "/bin:/usr/bin", "/proc/self/exe", &found);
	if (failed || found.program == NULL) {
		say("no other \"", name, "\" is on the PATH", failed ? ": " : NULL, strerror(-failed), NULL);
		_exit(127);
	}
	setenv("PATH", found.path, 1);
	char *called = argv[0];
	argv[0] = found.program;
	offer(argc, argv);
	argv[0] = called;
	become(found.program, argv);
}

int main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');
	const char *name = slash ? slash + 1 : argv[0];
	if (strcmp(name, own_name) != 0)
		masquerade(name, argc, argv);
	if (argc < 2) {
		say("usage: ", own_name, " PROGRAM [ARGUMENTS...]", NULL);
		return 125;
	}
	offer(argc - 1, argv + 1);
	become(argv[1], argv + 1);
}
