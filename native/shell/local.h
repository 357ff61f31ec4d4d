/* Running a line here: as the real shell, or as what that shell would only have started. */
#ifndef TERMITE_SHELL_LOCAL_H
#define TERMITE_SHELL_LOCAL_H

#include <stdbool.h>

#define USUAL_SHELL "/bin/sh"

/* Writes before, the number and after, as in "/proc/", 1, "/comm". Without stdio, which would double the time to start. */
void local_numbered_path(char *path, const char *before, int number, const char *after);

/* A variable of the environment that is not empty, or NULL. */
const char *local_variable(const char *name);

/*
 * The shell that make would have started, or NULL when we are not told: $TERMITE_SHELL. Where makes want several,
 * $TERMITE_SHELLS has a line "SHELL" for most and "SHELL FOLDER" for each other folder that a make works in; it counts for a
 * process that make has started, and that has not been a shell of ours before.
 */
const char *local_wanted_shell(bool is_fresh);

/* The wanted shell, or a usual one, and never ourselves: that would go on forever. */
const char *local_real_shell(const char *wanted);

/*
 * Puts the real shell's path in the place of ours wherever an argument has it as a word: by $(SHELL) a makefile means the
 * former. Source: jobArguments() in master/job-environment.ts.
 */
void local_name_shell(int argc, char **argv, const char *own, const char *shell);

/* argv[0] becomes the shell's own path, as make would have called it: it stands in front of its error messages. */
_Noreturn void local_run_shell(const char *shell, char **argv);

/*
 * Does `-c LINE` without the shell as far as it is made of trifles (trifles.h), if that shell would take it as we do. True when all is
 * done, with success; otherwise argv has what is left of the line.
 */
bool local_run_trifles(char **argv, const char *shell);

/*
 * Runs `-c LINE` without a shell where that is the same: trifles, and what make would have executed itself, had it been left
 * /bin/sh. Returns when a shell is needed, when the program cannot be run, of which the shell says why in its own words, and for all that a script of
 * make's starts.
 */
void local_run_program(const char *shell, int argc, char **argv);

/* One of these, or else the other. */
_Noreturn void local_run(const char *shell, int argc, char **argv);

#endif
