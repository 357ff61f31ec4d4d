#include "network.h"

#include "fd.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

void network_raise_loopback(void)
{
	/* Source: netdevice(7). */
	AUTO_CLOSE int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	if (fd >= 0)
		(void)ioctl(fd, SIOCSIFFLAGS, &request);
}

int network_make(void)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	AUTO_CLOSE int ours = ends[1], theirs = ends[0];
	long child = syscall(SYS_clone, CLONE_NEWNET | SIGCHLD, 0, 0, 0, 0);
	if (child < 0)
		return -errno;
	if (child == 0) {
		network_raise_loopback();
		/* Until there is a descriptor of the namespace, we keep it alive. */
		char nothing;
		fd_close(&ours);
		(void)RETRY_EINTR(read(theirs, &nothing, 1));
		_exit(0);
	}
	char path[40];
	snprintf(path, sizeof path, "/proc/%ld/ns/net", child);
	int network = open(path, O_RDONLY | O_CLOEXEC);
	int failed = network < 0 ? -errno : 0;
	fd_close(&ours);
	(void)RETRY_EINTR(waitpid((pid_t)child, NULL, 0));
	return failed ? failed : network;
}
