/* What the shell decides by itself from its arguments. Pure. */
#ifndef TERMITE_SHELL_PARSE_H
#define TERMITE_SHELL_PARSE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Whether the arguments are a command line as make gives it: options, among them -c, then the line and perhaps
 * parameters ("-c LINE", "-euo pipefail -c LINE", "-c LINE name $1"). Not so: script files, scripts on stdin,
 * interactive shells, options we do not know.
 */
bool parse_is_command(int argc, char *const argv[]);

/* What comes after blanks, if there are any. */
const char *parse_skip_blanks(const char *at);

/*
 * One plain word from *at on, up to a blank, `;`, `&` or the end, without its quotes appended to *output. False when it is not plain:
 * a shell could make something else of it.
 */
bool parse_word(const char **at, char **output);

/*
 * The exit status of a line that is so simple that every shell does the same with it: nothing, a comment, `:`, `true`,
 * `false`, or `echo` with plain words. -1 for any other.
 * What it prints goes to `output`, which needs room for strlen(line) + 1 bytes; *length is set in any case.
 */
int parse_simple_line(const char *line, char *output, size_t *length);

/*
 * Whether that shell, run with that environment, would take a simple line as we do: sh, dash, ash or bash, and no
 * variables that make bash run or trace something else first.
 */
bool parse_is_plain_shell(const char *shell, char *const environment[]);

/*
 * The pipe of the last --jobserver-auth=R,W (or --jobserver-fds, make before 4.2) in $MAKEFLAGS. False when there
 * is none, when make has withdrawn it (-2,-2), and for the fifo: style, which names no descriptors.
 */
bool parse_jobserver(const char *makeflags, int *read_fd, int *write_fd);

#endif
