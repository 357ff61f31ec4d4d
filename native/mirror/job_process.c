#include "job_process.h"

#include "fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Deeper than any recipe nests its processes. */
#define ANCESTORS_MAX 4096

/* 0: there is none, or no such process. Source: proc(5), /proc/PID/status. */
static pid_t parent_of(pid_t process)
{
	char path[40], status[4096];
	snprintf(path, sizeof path, "/proc/%d/status", process);
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? -1 : RETRY_EINTR(read(fd, status, sizeof status - 1));
	if (length <= 0)
		return 0;
	status[length] = 0;
	const char *line = strstr(status, "\nPPid:");
	return line == NULL ? 0 : (pid_t)strtol(line + 6, NULL, 10);
}

pid_t job_process(uint32_t thread)
{
	const pid_t server = getppid();
	pid_t process = (pid_t)thread;
	for (int i = 0; process > 1 && i < ANCESTORS_MAX; i++) {
		pid_t parent = parent_of(process);
		if (parent == server)
			return process;
		process = parent;
	}
	return 0;
}
