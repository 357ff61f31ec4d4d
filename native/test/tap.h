/* Test Anything Protocol, https://testanything.org: one line per check, the plan at the end. */
#ifndef TERMITE_TAP_H
#define TERMITE_TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static int tap_count, tap_failed_count;

/* The title is symbol + behaviour. Gives back whether it held, so that a test can stop or explain. */
__attribute__((format(printf, 2, 3))) static inline bool tap_ok(bool holds, const char *title, ...)
{
	va_list arguments;
	printf("%s %d - ", holds ? "ok" : "not ok", ++tap_count);
	va_start(arguments, title);
	vprintf(title, arguments);
	va_end(arguments);
	putchar('\n');
	tap_failed_count += !holds;
	return holds;
}

/* What main() returns. */
static inline int tap_done(void)
{
	printf("1..%d\n", tap_count);
	return tap_failed_count > 0 || tap_count == 0;
}

#endif
