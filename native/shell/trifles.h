/* Lines of nothing but the commonest of commands, whose effects are a system call or two, done without any program. */
#ifndef TERMITE_SHELL_TRIFLES_H
#define TERMITE_SHELL_TRIFLES_H

#include <stdbool.h>

/*
 * Whether a line is made of nothing but `echo`, `:`, `true`, `mkdir -p`, `mv`, `rm -f` and `touch` with plain words, joined by
 * `;` and `&&`. Pure.
 */
bool trifles_are_all(const char *line);

/*
 * Does such a line, command by command, until one is left that is not as simple as it looks: a program that is not the
 * system's own, a folder in the way, something that fails. The program itself has to do that, and says in its own words
 * what is wrong.
 * NULL when all is done, with success; else the part of the line from that command on.
 */
const char *trifles_run(const char *line);

#endif
