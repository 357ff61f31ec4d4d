#include "limits.h"

#include "fd.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/utsname.h>

/* As if it had half of the machine's memory in addition. Source: proc(5), /proc/PID/oom_score_adj. */
#define OOM_SCORE "500"

void limits_yield_memory(void)
{
	AUTO_CLOSE int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (fd >= 0)
		(void)!write(fd, OOM_SCORE, sizeof OOM_SCORE - 1);
}

/* Before, the limit was for all processes of the user, on the whole machine. Source: setrlimit(2), kernel/ucount.c. */
static bool is_counted_per_namespace(void)
{
	struct utsname names;
	unsigned major, minor;
	return uname(&names) == 0 && sscanf(names.release, "%u.%u", &major, &minor) == 2 &&
	       (major > 5 || (major == 5 && minor >= 14));
}

void limits_bound_processes(void)
{
	struct rlimit limit;
	if (!is_counted_per_namespace() || getrlimit(RLIMIT_NPROC, &limit) < 0)
		return;
	if (limit.rlim_max > JOB_PROCESSES_MAX)
		limit.rlim_max = JOB_PROCESSES_MAX;
	if (limit.rlim_cur > limit.rlim_max)
		limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NPROC, &limit);
}
