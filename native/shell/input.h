/*
 * What the master was given of stdin, so that the command finds it there when it has to run here after all: because it
 * reached a limit of the sandbox, or because the master is gone.
 */
#ifndef TERMITE_SHELL_INPUT_H
#define TERMITE_SHELL_INPUT_H

#include <stdbool.h>
#include <stddef.h>

/* Notes what was read. More than 16 MiB are not kept, as by the master. */
void input_note(const char *data, size_t length);

/* Puts all that was read back in front of what is still to be read. False: it cannot be had any more. */
bool input_give_back(void);

#endif
