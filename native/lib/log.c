#include "log.h"

#include "fd.h"

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
	char line[4096];
	int length = snprintf(line, sizeof line, "%s: ", log_program);

	va_list arguments;
	va_start(arguments, format);
	length += vsnprintf(line + length, sizeof line - (size_t)length, format, arguments);
	va_end(arguments);

	if ((size_t)length > sizeof line - 2)
		length = sizeof line - 2;
	line[length++] = '\n';
	/* Nobody is left to be told when stderr does not take it. */
	(void)fd_write_all(2, line, (size_t)length);
	errno = saved;
}
