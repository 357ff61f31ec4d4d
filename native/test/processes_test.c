#include "../watch/processes.h"
#include "fd.h"
#include "tap.h"

#include <signal.h>
#include <sys/wait.h>

/* A process that lives until it is killed. */
static pid_t start(void)
{
	pid_t pid = fork();
	if (pid == 0) {
		for (;;)
			pause();
	}
	return pid;
}

int main(void)
{
	AUTO_CLOSE int fd = processes_open();
	pid_t first = start(), second = start();
	uint32_t id = 0;
	tap_ok(fd >= 0 && processes_watch(fd, 7, (uint32_t)first) == 0 && processes_watch(fd, UINT32_MAX, (uint32_t)second) == 0,
	       "processes_watch() takes living ones");
	tap_ok(!processes_take_ended(fd, &id), "processes_take_ended() has none while they live");

	kill(second, SIGKILL);
	fd_wait(fd, POLLIN);
	tap_ok(processes_take_ended(fd, &id) && id == UINT32_MAX, "processes_take_ended() tells which was killed, before it is reaped");
	tap_ok(!processes_take_ended(fd, &id), "processes_take_ended() tells it once");

	kill(first, SIGTERM);
	fd_wait(fd, POLLIN);
	tap_ok(processes_take_ended(fd, &id) && id == 7, "processes_take_ended() tells of the other");
	waitpid(first, NULL, 0);
	waitpid(second, NULL, 0);
	tap_ok(processes_watch(fd, 8, (uint32_t)first) == -ESRCH, "processes_watch() says that one is gone");
	tap_ok(processes_watch(fd, 8, 0) < 0, "processes_watch() refuses process 0");
	return tap_done();
}
