#include "mounts.h"

#include "fd.h"

#include <fcntl.h>
#include <poll.h>

int mounts_open(void)
{
	int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

bool mounts_have_changed(int fd)
{
	/* Each poll takes note of the table as it is. */
	struct pollfd mounts = { .fd = fd, .events = POLLPRI };
	return fd >= 0 && poll(&mounts, 1, 0) > 0 && (mounts.revents & POLLPRI);
}
