/* One command, from the arguments that we were started with to its end, however it is run. */
#ifndef TERMITE_SHELL_COMMAND_H
#define TERMITE_SHELL_COMMAND_H

#include <stdbool.h>

enum {
	COMMAND_NOT_SIMPLE = -1,
	COMMAND_UNWRITTEN = -2, /* simple, but its output cannot be written: the real shell says so in its own words */
};

/*
 * Runs a line that no shell, and nobody's answer, is needed for. Its exit status, or COMMAND_*. A part of it may be done then, and
 * the line in argv is what is left.
 */
int command_run_simple(int argc, char **argv, const char *shell);

struct command {
	int argument_count;
	char **arguments;  /* those of a shell without argv[0], or a program with its own */
	const char *shell; /* the real one: an absolute path, or a name that is looked for on the PATH */
	bool is_program;   /* no shell is wanted for it */
};

/*
 * Offers the command to the master and ends as it did, with its exit status or by its signal. Returns when it is to be
 * run here: the master says so, is not there or is gone, or wants nothing to do with what runs in here.
 */
void command_offer(const struct command *command);

/*
 * Whether it is to run as if we were not there: the master wants it so, or wanted it so of a command that this one comes from.
 */
bool command_is_alone(void);

/* Whether this process has offered a command before it became ours once more, by exec. */
bool command_was_offered(void);

#endif
