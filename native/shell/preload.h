/* What is loaded into make for lines that are too long to be an argument: see preload/long_lines.c. */
#ifndef TERMITE_SHELL_PRELOAD_H
#define TERMITE_SHELL_PRELOAD_H

/* For a line that runs a make: it is to have it, too. */
void preload_pass_on(void);

/* Runs the line in the file as make would have without a shell; fails as make does with one that needs a shell. */
_Noreturn void preload_run_line(const char *descriptor, const char *shell);

#endif
