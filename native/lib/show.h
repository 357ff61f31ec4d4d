/*
 * Text of others for a terminal, as runtime/say.ts shows it: control characters, characters that change the direction of text, and
 * bytes that are no UTF-8, are spelt out as \xNN. Pure.
 */
#ifndef TERMITE_SHOW_H
#define TERMITE_SHOW_H

#include <stddef.h>

/* Appends text to a line of `length` bytes with room for `size`; what does not fit is left out. The new length; no NUL. */
size_t show_put(char *line, size_t length, size_t size, const char *text);

#endif
