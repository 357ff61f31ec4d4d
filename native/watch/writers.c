#include "writers.h"

#include "fd.h"

#include <fcntl.h>
#include <signal.h>

void writers_init(void)
{
	signal(SIGIO, SIG_IGN);
}

bool writers_has(const char *path)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (fcntl(fd, F_SETLEASE, F_RDLCK) < 0)
		return errno == EAGAIN;
	fcntl(fd, F_SETLEASE, F_UNLCK);
	return false;
}
