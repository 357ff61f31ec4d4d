/* Pid 1 of a sandbox: runs the command, reaps everything, reports. Privileges: none, or those of root over his own files. */
#include "fd.h"
#include "limits.h"
#include "notice.h"
#include "outside.h"
#include "report.h"
#include "sandbox.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

static uint64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t microseconds(struct timeval time)
{
	return (uint64_t)time.tv_sec * 1000000u + (uint64_t)time.tv_usec;
}

static _Noreturn void run_command(const struct sandbox *sandbox)
{
	const struct job_request *request = sandbox->request;
	/* The box's own signal handling must not be inherited: what is ignored stays so across exec. */
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	context_apply(&request->context);
	limits_bound_processes();
	umask((mode_t)request->umask & 07777);
	environ = request->env;
	/* Searches the PATH of the new environment, and runs what has no known format by /bin/sh. */
	execvp(request->argv[0], request->argv);
	int error = errno;
	dprintf(2, "%s: %s\n", request->argv[0], strerror(error));
	_exit(error == ENOENT ? 127 : 126);
}

/* Moves what the sandbox still needs below the descriptors that are closed. */
static void arrange_descriptors(struct sandbox *sandbox)
{
	enum { REPORT = 3, NOTICES = 4, PLACES = 5, HOME = 6, FIRST_CLOSED = 7, SAFE = 32 };
	int wanted[] = { sandbox->input,   sandbox->output[0], sandbox->output[1], sandbox->report,
			 sandbox->notices, sandbox->places,    sandbox->home };
	int count = sizeof wanted / sizeof *wanted;
	/* First all up, out of the way, then each to its place. */
	for (int i = 0; i < count; i++)
		wanted[i] = wanted[i] < 0 ? -1 : fcntl(wanted[i], F_DUPFD_CLOEXEC, SAFE);
	for (int i = 0; i < count; i++) {
		if (wanted[i] >= 0 && dup3(wanted[i], i, i > 2 ? O_CLOEXEC : 0) < 0)
			sandbox_fail(sandbox, "dup3: %s", strerror(errno));
	}
	bool has_home = wanted[HOME] >= 0;
	sandbox->report = REPORT;
	sandbox->notices = NOTICES;
	sandbox->places = PLACES;
	sandbox->home = has_home ? HOME : -1;
	/* The FUSE session, the old tree, the executor's socket: no process of the job may ever hold one of them. */
	if (syscall(SYS_close_range, has_home ? FIRST_CLOSED : HOME, ~0U, 0) < 0)
		sandbox_fail(sandbox, "close_range: %s", strerror(errno));
}

/* Reaps what has ended. True when the command is among it, with its status. */
static bool reap(pid_t command, int *status)
{
	pid_t ended;
	int each;
	bool has_ended = false;
	while ((ended = waitpid(-1, &each, WNOHANG)) > 0) {
		if (ended == command) {
			*status = each;
			has_ended = true;
		}
	}
	return has_ended;
}

/* Until the command ends: what its processes are up to is to be noticed. Answers its status. */
static int serve_until(struct sandbox *sandbox, struct notices *notices, pid_t command, int signals)
{
	struct pollfd wanted[] = {
		{ .fd = signals, .events = POLLIN },
		{ .fd = notices->listener, .events = POLLIN },
	};
	for (int status;;) {
		if (RETRY_EINTR(poll(wanted, 2, -1)) < 0)
			sandbox_fail(sandbox, "poll: %s", strerror(errno));
		if (wanted[1].revents & POLLIN)
			notices_serve(notices);
		struct signalfd_siginfo ignored;
		if (wanted[0].revents && read(signals, &ignored, sizeof ignored) > 0 && reap(command, &status))
			return status;
	}
}

/* Signals that a child has ended can be waited for together with everything else. */
static int watch_children(const struct sandbox *sandbox)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, NULL);
	int signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals < 0)
		sandbox_fail(sandbox, "signalfd: %s", strerror(errno));
	return signals;
}

void init_run(struct sandbox *sandbox)
{
	arrange_descriptors(sandbox);
	int signals = watch_children(sandbox);
	struct notices notices;
	notices_begin(&notices, sandbox);
	struct report report = { .kind = REPORT_ENDED, .started_ns = now_ns() };
	pid_t pid = fork();
	if (pid < 0)
		sandbox_fail(sandbox, "fork: %s", strerror(errno));
	if (pid == 0)
		run_command(sandbox);
	report.status = serve_until(sandbox, &notices, pid, signals);
	report.finished_ns = now_ns();

	struct rusage usage;
	getrusage(RUSAGE_CHILDREN, &usage);
	report.user_us = microseconds(usage.ru_utime);
	report.system_us = microseconds(usage.ru_stime);
	report.max_rss_kib = (uint64_t)usage.ru_maxrss;

	/*
	 * The job is over when its command is; what it left running would write into what is about to be harvested. All
	 * are children of ours by now or will be, so that there is nobody left when there is nothing left to wait for.
	 */
	kill(-1, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		continue;
	notices_end(&notices);
	struct bytes outside = outside_list(sandbox->plan, sandbox->request, sandbox->places, sandbox->home);
	(void)fd_write_all(sandbox->report, &report, sizeof report);
	(void)fd_write_all(sandbox->report, outside.data, outside.length);
	/* Closes the pipes, on which the supervisor waits, before the kernel takes the namespaces down. */
	syscall(SYS_close_range, 0, ~0U, 0);
	_exit(0);
}
