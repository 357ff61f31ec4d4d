/* Messages of the shell, without stdio, which would double the time it takes to start. */
#ifndef TERMITE_SHELL_SAY_H
#define TERMITE_SHELL_SAY_H

/* One line on stderr: "termite: " and the strings up to a NULL. Keeps errno. */
void say(const char *string, ...) __attribute__((sentinel));

#endif
