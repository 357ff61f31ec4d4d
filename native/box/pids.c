#include "pids.h"

#include "fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

/* Below this, numbers are used but once: RESERVED_PIDS of kernel/pid.c. */
#define FIRST_USUAL 300
/* How many a job may well need; a prime, so that the places go on being different when they have come around. */
#define PIDS_PER_JOB 1021

static long read_pid_max(void)
{
	char text[32];
	AUTO_CLOSE int fd = open("/proc/sys/kernel/pid_max", O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? -1 : RETRY_EINTR(read(fd, text, sizeof text - 1));
	if (length <= 0)
		return 0;
	text[length] = 0;
	return strtol(text, NULL, 10);
}

void pids_begin(uint32_t job_number)
{
	long pid_max = read_pid_max(), room = pid_max - FIRST_USUAL - PIDS_PER_JOB;
	if (room <= 0)
		return;
	/* Source: Documentation/admin-guide/sysctl/kernel.rst, ns_last_pid. */
	AUTO_CLOSE int fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);
	if (fd >= 0)
		dprintf(fd, "%ld", FIRST_USUAL + (long)((uint64_t)job_number * PIDS_PER_JOB % (uint64_t)room));
}
