#include "sandbox.h"

#include "fd.h"
#include "report.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

void sandbox_fail(const struct sandbox *sandbox, const char *format, ...)
{
	char message[8192] = "sandbox: ";
	size_t length = strlen(message);
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(message + length, sizeof message - length, format, arguments);
	va_end(arguments);
	struct report report = { .kind = REPORT_BROKEN };
	(void)fd_write_all(sandbox->report, &report, sizeof report);
	(void)fd_write_all(sandbox->report, message, strlen(message));
	_exit(1);
}

void sandbox_follow_supervisor(const struct sandbox *sandbox)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		sandbox_fail(sandbox, "prctl of parent death signal: %s", strerror(errno));
	/* It may have died just before. getppid() tells nothing across pid namespaces; its end of a pipe does. */
	struct pollfd alive = { .fd = sandbox->alive };
	if (RETRY_EINTR(poll(&alive, 1, 0)) != 0)
		_exit(1);
}
