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

/* For what a command leaves running to end by itself. */
#define GRACE_MS 200

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

static _Noreturn void run_command(const struct sandbox *sandbox, const struct context *context)
{
	const struct job_request *request = sandbox->request;
	/* The box's own signal handling must not be inherited: what is ignored or blocked stays so across exec. */
	context_apply(context);
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

struct processes {
	pid_t command;
	bool has_ended; /* the command, with this status */
	int status;
	bool are_gone; /* all */
};

static void reap(struct processes *processes)
{
	pid_t ended;
	int status;
	while ((ended = waitpid(-1, &status, WNOHANG)) > 0) {
		if (ended != processes->command)
			continue;
		processes->status = status;
		processes->has_ended = true;
	}
	processes->are_gone = ended < 0;
}

/* One round of serving what the job's processes are up to. Waits for that no longer than the time-out; -1: forever. */
static void serve(struct sandbox *sandbox, struct notices *notices, struct processes *processes, int signals,
		  int timeout_ms)
{
	struct pollfd wanted[] = {
		{ .fd = signals, .events = POLLIN },
		{ .fd = notices->listener, .events = POLLIN },
	};
	if (RETRY_EINTR(poll(wanted, 2, timeout_ms)) < 0)
		sandbox_fail(sandbox, "poll: %s", strerror(errno));
	if (wanted[1].revents & POLLIN)
		notices_serve(notices);
	struct signalfd_siginfo ignored;
	if (wanted[0].revents && read(signals, &ignored, sizeof ignored) > 0)
		reap(processes);
}

/*
 * What the command has left may be about to end, as the reader of a pipe is whose writer has gone. It gets the time for that;
 * beside make it would have it, too. What then still runs is meant to go on, which it cannot in here.
 */
static void let_end(struct sandbox *sandbox, struct notices *notices, struct processes *processes, int signals)
{
	uint64_t until_ns = now_ns() + GRACE_MS * 1000000u;
	for (uint64_t now; !processes->are_gone && !notices->is_over && (now = now_ns()) < until_ns;)
		serve(sandbox, notices, processes, signals, (int)((until_ns - now) / 1000000u) + 1);
	if (!processes->are_gone)
		notices_running(notices);
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
	struct context context = sandbox->request->context;
	notices_begin(&notices, sandbox, context_fit(&context));
	struct report report = { .kind = REPORT_ENDED, .started_ns = now_ns() };
	pid_t pid = fork();
	if (pid < 0)
		sandbox_fail(sandbox, "fork: %s", strerror(errno));
	if (pid == 0)
		run_command(sandbox, &context);
	struct processes processes = { .command = pid };
	while (!processes.has_ended)
		serve(sandbox, &notices, &processes, signals, -1);
	let_end(sandbox, &notices, &processes, signals);
	report.status = processes.status;
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
