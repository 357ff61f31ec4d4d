/* make's SHELL: asks the master what to do with a command line, and is the real shell in every other respect. */
#include "command.h"
#include "local.h"
#include "parse.h"
#include "preload.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

/* By $(SHELL) a line has our own name where the real shell's is meant. */
static bool names_us(int argc, char **argv)
{
	return argc == 3 && strstr(argv[2], argv[0]) != NULL;
}

int main(int argc, char **argv)
{
	const char *wanted = local_wanted_shell(!command_was_offered());
	if (argc == 3 && strcmp(argv[1], "--line") == 0)
		preload_run_line(argv[2], local_real_shell(wanted));
	int status = COMMAND_NOT_SIMPLE;
	if (!names_us(argc, argv))
		status = command_run_simple(argc, argv, wanted ? wanted : USUAL_SHELL);
	if (status >= 0)
		_exit(status);

	const char *shell = local_real_shell(wanted);
	if (status == COMMAND_UNWRITTEN || !parse_is_command(argc, argv))
		local_run_shell(shell, argv);
	command_offer(&(struct command){ argc - 1, argv + 1, shell, false });
	if (command_is_alone())
		local_name_shell(argc, argv, argv[0], shell);
	local_run(shell, argc, argv);
}
