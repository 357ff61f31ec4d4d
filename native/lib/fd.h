/*
 * File descriptors: released by scope, handed over by name, never half written.
 *
 *     AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
 *     if (fd < 0)
 *             return -errno;
 *     ...
 *     owner->fd = steal_fd(&fd);
 */
#ifndef TERMITE_FD_H
#define TERMITE_FD_H

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <unistd.h>

/* The value of a call that answers -1 with errno, called again for as long as a signal interrupts it. */
#define RETRY_EINTR(call)                                          \
	__extension__({                                            \
		__typeof__(call) retry_result;                     \
		do                                                 \
			retry_result = (call);                     \
		while (retry_result == -1 && errno == EINTR);      \
		retry_result;                                      \
	})

/* Closes and forgets; leaves errno alone. close(2) is not retried: after EINTR the descriptor is gone on Linux. */
static inline void fd_close(int *fd)
{
	int saved = errno;
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

#define AUTO_CLOSE __attribute__((cleanup(fd_close)))

/* The descriptor, which from now on belongs to the caller; the variable is left at -1. */
static inline int steal_fd(int *fd)
{
	int stolen = *fd;
	*fd = -1;
	return stolen;
}

/* Waits until one of the events is there (POLLERR and POLLHUP count), for as long as it takes. 0 or -errno. */
static inline int fd_wait(int fd, short events)
{
	struct pollfd wanted = { .fd = fd, .events = events };
	return RETRY_EINTR(poll(&wanted, 1, -1)) < 0 ? -errno : 0;
}

/*
 * Writes everything, also into a pipe that another process has made non-blocking (make does). 0 or -errno; after an
 * error some of it may have been written. Raises SIGPIPE as write(2) does.
 */
static inline int fd_write_all(int fd, const void *data, size_t length)
{
	const char *at = data;
	while (length > 0) {
		ssize_t written = RETRY_EINTR(write(fd, at, length));
		if (written >= 0) {
			at += written;
			length -= (size_t)written;
			continue;
		}
		if (errno != EAGAIN)
			return -errno;
		int failed = fd_wait(fd, POLLOUT);
		if (failed)
			return failed;
	}
	return 0;
}

#endif
