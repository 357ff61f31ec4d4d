#include "log.h"

#include "fd.h"
#include "show.h"

#include <stdarg.h>
#include <stdio.h>

static const char *log_program = "termite";

void log_init(const char *program)
{
	log_program = program;
}

void log_line(const char *format, ...)
{
	int saved = errno;
	char text[4096], line[4096];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);

	size_t length = show_put(line, 0, sizeof line - 1, log_program);
	length = show_put(line, length, sizeof line - 1, ": ");
	length = show_put(line, length, sizeof line - 1, text);
	line[length++] = '\n';
	/* Nobody is left to be told when stderr does not take it. */
	(void)fd_write_all(2, line, length);
	errno = saved;
}
