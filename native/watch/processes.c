#include "processes.h"

#include "fd.h"

#include <sys/epoll.h>
#include <sys/syscall.h>

int processes_open(void)
{
	int fd = epoll_create1(EPOLL_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int processes_watch(int fd, uint32_t id, uint32_t process)
{
	/* Linux 5.3; close-on-exec by itself. Readable once the process, with all its threads, is dead. */
	AUTO_CLOSE int process_fd = (int)syscall(SYS_pidfd_open, (pid_t)process, 0);
	if (process_fd < 0)
		return -errno;
	struct epoll_event event = { .events = EPOLLIN, .data.u64 = (uint64_t)id << 32 | (uint32_t)process_fd };
	if (epoll_ctl(fd, EPOLL_CTL_ADD, process_fd, &event) < 0)
		return -errno;
	(void)steal_fd(&process_fd); /* closed by processes_take_ended() */
	return 0;
}

bool processes_take_ended(int fd, uint32_t *id)
{
	struct epoll_event event;
	if (RETRY_EINTR(epoll_wait(fd, &event, 1, 0)) <= 0)
		return false;
	*id = (uint32_t)(event.data.u64 >> 32);
	close((int)(uint32_t)event.data.u64);
	return true;
}
