#include "command.h"

#include "ask.h"
#include "fd.h"
#include "input.h"
#include "local.h"
#include "parse.h"
#include "preload.h"
#include "say.h"
#include "wire.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>

extern char **environ;

/* Set for a command that the master wants alone: of what it starts, nothing is the master's business. */
static const char alone[] = "TERMITE_LOCAL";

/* Set for a command that holds a slot of this machine: if what it starts waited for further ones, all could wait forever. */
static const char has_slot[] = "TERMITE_SLOT";

/* Which process has asked the master last: the real shell that it becomes may have another stand-in of ours over it. */
static const char asked[] = "TERMITE_ASKED";

/* Set where the user has no rules, which come first. */
static const char may_do_trifles[] = "TERMITE_TRIFLES";

int command_run_simple(int argc, char **argv, const char *shell)
{
	/* What is no longer than PIPE_BUF goes into a pipe as a whole or not at all. */
	char output[PIPE_BUF];
	size_t length;
	if (argc != 3 || (strcmp(argv[1], "-c") != 0 && strcmp(argv[1], "-ec") != 0))
		return COMMAND_NOT_SIMPLE;
	if (strlen(argv[2]) >= sizeof output)
		return COMMAND_NOT_SIMPLE;
	int status = parse_simple_line(argv[2], output, &length);
	if (status < 0)
		return local_variable(may_do_trifles) && local_run_trifles(argv, shell) ? 0 : COMMAND_NOT_SIMPLE;
	if (!parse_is_plain_shell(shell, environ))
		return COMMAND_NOT_SIMPLE;
	return length == 0 || fd_write_all(1, output, length) == 0 ? status : COMMAND_UNWRITTEN;
}

/* make must see the signal that the command died of; a core file would be ours, not the command's. */
static _Noreturn void die_by_signal(int number)
{
	const struct rlimit none = { 0, 0 };
	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0); /* also where cores are piped to a program, which no limit stops */

	signal(number, SIG_DFL);
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, number);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	kill(getpid(), number);
	/* Still here: pid 1 of a container, which is spared by signals without a handler. */
	_exit(128 + number);
}

static bool is_one_output(void)
{
	struct stat out, err;
	return fstat(1, &out) == 0 && fstat(2, &err) == 0 && out.st_dev == err.st_dev && out.st_ino == err.st_ino &&
	       (out.st_mode & S_IFMT) == (err.st_mode & S_IFMT);
}

static bool is_pipe(int fd)
{
	struct stat status;
	return fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode);
}

/* In its pipe style, make leaves the jobserver open only for lines that it takes for recursive. */
static bool has_jobserver(void)
{
	const char *makeflags = local_variable("MAKEFLAGS");
	int read_fd, write_fd;
	return makeflags && parse_jobserver(makeflags, &read_fd, &write_fd) && is_pipe(read_fd) && is_pipe(write_fd);
}

static unsigned stdin_flags(void)
{
	struct stat status;
	if (fstat(0, &status) != 0)
		return RUN_STDIN_EMPTY;
	if (S_ISCHR(status.st_mode)) {
		struct termios settings;
		if (status.st_rdev == makedev(1, 3)) /* /dev/null, devices.txt of the kernel */
			return RUN_STDIN_EMPTY;
		return tcgetattr(0, &settings) == 0 ? RUN_STDIN_TERMINAL : 0;
	}
	if (S_ISREG(status.st_mode))
		return lseek(0, 0, SEEK_CUR) >= status.st_size ? RUN_STDIN_EMPTY : 0;
	/* With -j make gives all but one command a pipe that nobody writes to. */
	struct pollfd now = { .fd = 0, .events = POLLIN };
	return poll(&now, 1, 0) == 1 && (now.revents & POLLHUP) && !(now.revents & POLLIN) ? RUN_STDIN_EMPTY : 0;
}

/* What it would find there if nobody had read from it before. */
static void restore_stdin(void)
{
	if (input_give_back())
		return;
	say("the command has to run here, but its input is used up", NULL);
	_exit(125);
}

static void empty_stdin(void)
{
	/* O_CLOEXEC is not wanted: this is for the command. */
	AUTO_CLOSE int fd = open("/dev/null", O_RDONLY);
	if (fd == 0)
		(void)steal_fd(&fd);
	else if (fd < 0 || dup2(fd, 0) < 0)
		say("open \"/dev/null\": ", strerror(errno), NULL);
}

bool command_is_alone(void)
{
	return local_variable(alone) != NULL;
}

bool command_was_offered(void)
{
	char pid[16];
	const char *asker = local_variable(asked);
	local_numbered_path(pid, "", getpid(), "");
	return asker && strcmp(asker, pid) == 0;
}

void command_offer(const struct command *command)
{
	char cwd[PATH_MAX], pid[16];
	if (command_was_offered())
		return;
	/* The kernel says "(unreachable)/..." of a directory outside our root. */
	if (local_variable(alone) || getcwd(cwd, sizeof cwd) == NULL || cwd[0] != '/')
		return;
	struct ask_question question = {
		.argument_count = command->argument_count,
		.arguments = command->arguments,
		.environment = environ,
		.shell = command->shell,
		.cwd = cwd,
		/* Asked before anything is opened: its number could be that of a closed jobserver descriptor. */
		.flags = (command->is_program ? RUN_EXEC : 0) | (is_one_output() ? RUN_ONE_OUTPUT : 0) |
			 (has_jobserver() ? RUN_JOBSERVER : 0) | stdin_flags(),
	};
	const char *socket_path = local_variable("TERMITE_SOCKET");
	int fd = ask_connect(socket_path, cwd);
	struct ask_answer answer = { ASK_RUN_LOCALLY, 0 };
	if (fd >= 0)
		answer = ask_master(fd, &question);
	else if (socket_path)
		answer.end = ASK_MASTER_GONE;

	local_numbered_path(pid, "", getpid(), "");
	setenv(asked, pid, 1);
	switch (answer.end) {
	case ASK_EXITED:
		_exit(answer.value);
	case ASK_KILLED:
		die_by_signal(answer.value);
	case ASK_DIED_COMMITTING:
		say("master died while applying outputs: run make again", NULL);
		die_by_signal(SIGTERM);
	case ASK_MASTER_GONE:
		say("master is gone: running locally", NULL);
		restore_stdin();
		return;
	case ASK_RUN_LOCALLY:
		if (answer.value & LOCAL_ALONE)
			setenv(alone, "1", 1);
		else
			preload_pass_on();
		if (answer.value & LOCAL_SLOT)
			setenv(has_slot, "1", 1);
		if (answer.value & LOCAL_EMPTY_STDIN)
			empty_stdin();
		else
			restore_stdin();
	}
}
