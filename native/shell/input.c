#include "input.h"

#include "fd.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define KEPT_MAX ((size_t)16 << 20)

static char *kept;
static size_t kept_length, kept_capacity, read_length;

void input_note(const char *data, size_t length)
{
	read_length += length;
	if (read_length > KEPT_MAX)
		return;
	if (kept_length + length > kept_capacity) {
		size_t capacity = (kept_length + length) * 2;
		char *grown = realloc(kept, capacity);
		if (grown == NULL)
			return;
		kept = grown;
		kept_capacity = capacity;
	}
	memcpy(kept + kept_length, data, length);
	kept_length += length;
}

/* Writes what was kept into the pipe, then whatever comes from stdin. Holds nothing else: readers of our outputs wait. */
static _Noreturn void feed(int pipe)
{
	static char buffer[65536];
	/* The order matters: the highest numbers go first, and the pipe is moved below them. */
	if (dup2(pipe, 1) < 0 || syscall(SYS_close_range, 2, ~0U, 0) < 0)
		_exit(1);
	signal(SIGPIPE, SIG_DFL);
	int failed = fd_write_all(1, kept, kept_length);
	for (ssize_t count; !failed && (count = RETRY_EINTR(read(0, buffer, sizeof buffer))) > 0;)
		failed = fd_write_all(1, buffer, (size_t)count);
	_exit(0);
}

/* No child of the command's, which might wait for all that it has: its parent has ended. */
static bool start_feeding(int read_end, int write_end)
{
	pid_t pid = fork();
	if (pid == 0) {
		close(read_end);
		if (fork() == 0)
			feed(write_end);
		_exit(0);
	}
	return pid > 0 && RETRY_EINTR(waitpid(pid, NULL, 0)) == pid;
}

bool input_give_back(void)
{
	struct stat status;
	int ends[2];
	if (read_length == 0)
		return true;
	if (fstat(0, &status) == 0 && S_ISREG(status.st_mode))
		return lseek(0, -(off_t)read_length, SEEK_CUR) >= 0;
	if (kept_length != read_length || pipe2(ends, O_CLOEXEC) < 0)
		return false;
	bool is_fed = start_feeding(ends[0], ends[1]) && dup2(ends[0], 0) == 0;
	close(ends[0]);
	close(ends[1]);
	return is_fed;
}
