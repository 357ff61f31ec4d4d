#include "say.h"

#include "fd.h"
#include "show.h"

#include <stdarg.h>
#include <string.h>

void say(const char *string, ...)
{
	int saved = errno;
	char line[1024] = "termite: ";
	size_t length = strlen(line);

	va_list strings;
	va_start(strings, string);
	for (const char *at = string; at != NULL; at = va_arg(strings, const char *))
		length = show_put(line, length, sizeof line - 1, at);
	va_end(strings);

	line[length++] = '\n';
	/* Nobody is left to be told when stderr does not take it. */
	(void)fd_write_all(2, line, length);
	errno = saved;
}
