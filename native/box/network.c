#include "network.h"

#include "fd.h"

#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

void network_raise_loopback(void)
{
	/* Source: netdevice(7). */
	AUTO_CLOSE int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	if (fd >= 0)
		(void)ioctl(fd, SIOCSIFFLAGS, &request);
}

int network_make(struct ledger_line *line)
{
	if (unshare(CLONE_NEWNET) < 0)
		return -errno;
	network_raise_loopback();
	line->has_network = true;
	return 0;
}

int network_find(const struct ledger *ledger, const char *system_dir)
{
	for (size_t i = 0; i < LEDGER_LINES; i++) {
		const struct ledger_line *line = &ledger->lines[i];
		if (line->kind != LEDGER_MOUNT || !line->has_network || strcmp(line->path, system_dir) != 0)
			continue;
		char path[40];
		snprintf(path, sizeof path, "/proc/%d/ns/net", line->pid);
		return open(path, O_RDONLY | O_CLOEXEC);
	}
	return -1;
}
