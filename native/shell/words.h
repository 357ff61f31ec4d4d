/* Lines that make runs without a shell. Pure. */
#ifndef TERMITE_SHELL_WORDS_H
#define TERMITE_SHELL_WORDS_H

/*
 * The program and its arguments, ended by NULL, of a line for which make starts no shell when SHELL is /bin/sh: plain
 * words, no assignment in front, no command of the shell's own. NULL for any other line, for one with a newline, and when
 * memory is short. The caller frees it, all in one.
 * Source: construct_command_argv_internal() in job.c of GNU make 4.3.
 */
char **words_of_program(const char *line);

#endif
