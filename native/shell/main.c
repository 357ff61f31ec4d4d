/* make's SHELL: asks the master what to do with a command line, and is the real shell in every other respect. */
#include "command.h"
#include "parse.h"
#include "say.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where every system has a shell. Further ones are needed only where we were put in the place of /bin/sh itself. */
static const char *const usual_shells[] = { "/bin/sh", "/bin/dash", "/bin/bash" };

static bool is_ourselves(const char *path)
{
	struct stat self, other;
	return stat("/proc/self/exe", &self) == 0 && stat(path, &other) == 0 && self.st_dev == other.st_dev &&
	       self.st_ino == other.st_ino;
}

/* The shell that make would have started, and never ourselves: that would go on forever. */
static const char *find_real_shell(void)
{
	const char *wanted = command_variable("TERMITE_SHELL");
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

/* argv[0] becomes the shell's own path, as make would have called it: it stands in front of its error messages. */
static _Noreturn void run_real_shell(const char *shell, char **argv)
{
	/* exec does not write to its strings; its type is older than const. */
	memcpy(&argv[0], &shell, sizeof shell);
	command_exec(shell, argv);
}

int main(int argc, char **argv)
{
	const char *wanted = command_variable("TERMITE_SHELL");
	int status = command_run_simple(argc, argv, wanted ? wanted : usual_shells[0]);
	if (status >= 0)
		_exit(status);

	const char *shell = find_real_shell();
	if (status == COMMAND_NOT_SIMPLE && parse_is_command(argc, argv))
		command_offer(&(struct command){ argc - 1, argv + 1, shell, false });
	run_real_shell(shell, argv);
}
