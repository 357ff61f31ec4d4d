#include "ask.h"

#include "context.h"
#include "fd.h"
#include "frame_io.h"
#include "input.h"
#include "local.h"
#include "project.h"
#include "say.h"
#include "wire.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>

#define SOCKET_NAME ".termite-socket"
#define CANCEL_TIMEOUT_MS 3000
#define STDIN_MAX ((size_t)64 << 10)

/* 0 or -errno. A path longer than sun_path, which takes 107 characters, goes by way of its directory's descriptor. */
static int connect_to(int fd, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	AUTO_CLOSE int dir_fd = -1;
	if (strlen(path) < sizeof address.sun_path) {
		strcpy(address.sun_path, path);
	} else {
		const char *slash = strrchr(path, '/');
		if (slash == NULL || slash - path >= PATH_MAX || strlen(slash) > 80)
			return -ENAMETOOLONG;
		char dir[PATH_MAX];
		memcpy(dir, path, (size_t)(slash - path));
		dir[slash - path] = 0;
		dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (dir_fd < 0)
			return -errno;
		local_numbered_path(address.sun_path, "/proc/self/fd/", dir_fd, "/");
		strcat(address.sun_path, slash + 1);
	}
	return RETRY_EINTR(connect(fd, (struct sockaddr *)&address, sizeof address)) < 0 ? -errno : 0;
}

/*
 * Whether the one who listens may be believed without having been named: he gets our environment and decides what the
 * command has done. Below /tmp anybody could put a socket in our way.
 */
static bool is_trusted(int fd)
{
	struct ucred peer;
	socklen_t length = sizeof peer;
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 &&
	       (peer.uid == geteuid() || peer.uid == 0);
}

/* Connects to the master of the project with that root: by its socket in our user's cache, or by one in the root. 0 or -errno. */
static int connect_to_project(int fd, const char *root)
{
	char path[PATH_MAX + PROJECT_SOCKET_MAX];
	struct stat status;
	if (stat(root, &status) < 0)
		return -errno;
	int failed = project_socket(path, root, status.st_dev, status.st_ino);
	if (failed == 0)
		failed = connect_to(fd, path);
	if (failed != -ENOENT)
		return failed;
	strcpy(path, root[1] ? root : "");
	strcat(path, "/" SOCKET_NAME);
	return connect_to(fd, path);
}

/* Connects to the master of the nearest project among the directory and those above it. 0 or -errno. */
static int connect_upwards(int fd, const char *cwd)
{
	char folder[PATH_MAX];
	if (strlen(cwd) >= sizeof folder)
		return -ENAMETOOLONG;
	strcpy(folder, cwd);
	for (;;) {
		int failed = connect_to_project(fd, folder);
		if (failed != -ENOENT || folder[1] == 0)
			return failed;
		char *slash = strrchr(folder, '/');
		slash[slash == folder] = 0;
	}
}

int ask_connect(const char *socket_path, const char *cwd)
{
	if (socket_path == NULL && project_is_sandboxed())
		return -1;
	AUTO_CLOSE int low_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	/* Where stdin, stdout or stderr is closed, the socket must not take its place. */
	AUTO_CLOSE int fd = low_fd > 2 ? steal_fd(&low_fd) : fcntl(low_fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return -1;
	int failed = socket_path ? connect_to(fd, socket_path) : connect_upwards(fd, cwd);
	if (failed || (socket_path == NULL && !is_trusted(fd)))
		return -1;
	if (fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
		return -1;
	return steal_fd(&fd);
}

static const int caught_signals[] = { SIGALRM, SIGINT, SIGTERM, SIGHUP, SIGQUIT };
#define CAUGHT_COUNT (sizeof caught_signals / sizeof *caught_signals)

static volatile sig_atomic_t caught; /* the first of them that came, SIGALRM aside, or 0 */

/*
 * A signal may come between a look at `caught` and the system call that blocks. So from the first one on a timer
 * goes off every 20 ms: no call blocks for longer than that before it ends with EINTR and we look again.
 */
static void on_signal(int signal)
{
	if (signal == SIGALRM || caught)
		return;
	int saved = errno;
	caught = signal;
	const struct itimerval often = { { 0, 20000 }, { 0, 20000 } };
	setitimer(ITIMER_REAL, &often, NULL);
	errno = saved;
}

struct conversation {
	int fd;
	struct frame_out out;
	struct frame_reader reader;
	bool can_send;      /* false once the master has stopped reading; what it had said before is still read */
	bool is_committing;
	bool is_cancelled;  /* we asked for it */
	struct timespec cancelled;
	bool wants_stdin;   /* a WANT_STDIN is unanswered */
	uint32_t stdin_id, stdin_max;
	bool output_failed;
	bool has_ended;
	struct ask_answer answer;
};

static void end(struct conversation *talk, enum ask_end how, int value)
{
	talk->has_ended = true;
	talk->answer = (struct ask_answer){ how, value };
}

static void end_without_master(struct conversation *talk)
{
	if (talk->is_cancelled)
		end(talk, ASK_KILLED, caught);
	else
		end(talk, talk->is_committing ? ASK_DIED_COMMITTING : ASK_MASTER_GONE, 0);
}

static void put_run(struct frame_out *out, const struct ask_question *question)
{
	frame_begin(out, SHELL_RUN);
	frame_put_u32(out, WIRE_VERSION);
	frame_put_u32(out, (uint32_t)question->argument_count);
	for (int i = 0; i < question->argument_count; i++)
		frame_put_string(out, question->arguments[i]);
	frame_put_string(out, question->shell);
	frame_put_string(out, question->cwd);
	size_t count_at = frame_put_count(out);
	uint32_t count = 0;
	for (; question->environment[count]; count++)
		frame_put_string(out, question->environment[count]);
	frame_set_count(out, count_at, count);
	mode_t mask = umask(0);
	umask(mask);
	frame_put_u32(out, (uint32_t)mask);
	frame_put_u32(out, question->flags);
	frame_put_u32(out, (uint32_t)getpid());
	struct context context;
	context_read(&context);
	context_put(out, &context);
	frame_end(out);
}

static void cancel(struct conversation *talk)
{
	talk->is_cancelled = true;
	clock_gettime(CLOCK_MONOTONIC, &talk->cancelled);
	frame_begin(&talk->out, SHELL_CANCEL);
	frame_put_u32(&talk->out, (uint32_t)caught);
	frame_end(&talk->out);
}

static int cancel_time_left_ms(const struct conversation *talk)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	long long passed_ms = (now.tv_sec - talk->cancelled.tv_sec) * 1000LL +
			      (now.tv_nsec - talk->cancelled.tv_nsec) / 1000000;
	return passed_ms < CANCEL_TIMEOUT_MS ? (int)(CANCEL_TIMEOUT_MS - passed_ms) : 0;
}

/*
 * Copies output, as the command would have written it: a reader that went away kills us by SIGPIPE. Given up when a
 * signal comes, since the reader may never read on.
 */
static void copy_output(struct conversation *talk, int fd, struct bytes bytes)
{
	while (bytes.length > 0 && !caught) {
		ssize_t count = write(fd, bytes.data, bytes.length);
		if (count >= 0) {
			bytes.data += count;
			bytes.length -= (size_t)count;
		} else if (errno == EAGAIN) {
			/* Others may have made the pipe non-blocking; make does it with its own. */
			struct pollfd wanted = { .fd = fd, .events = POLLOUT };
			poll(&wanted, 1, -1);
		} else if (errno != EINTR) {
			if (fd == 1 && !talk->output_failed)
				say("write stdout: ", strerror(errno), NULL);
			talk->output_failed |= fd == 1;
			return;
		}
	}
}

/* The command would have noticed that its output could not be written. */
static int exit_status(const struct conversation *talk, uint32_t status)
{
	return status == 0 && talk->output_failed ? 1 : (int)(status & 0xff);
}

static void take_exited(struct conversation *talk, struct frame_in *in)
{
	uint32_t kind = frame_get_u32(in);
	uint32_t value = frame_get_u32(in);
	if (!frame_in_done(in) || (kind != ENDED_EXIT && kind != ENDED_SIGNAL))
		end_without_master(talk);
	else if (talk->is_cancelled)
		end(talk, ASK_KILLED, caught);
	else if (kind == ENDED_SIGNAL)
		end(talk, ASK_KILLED, (int)value);
	else
		end(talk, ASK_EXITED, exit_status(talk, value));
}

/* What a rule changes in the environment that the command gets here. */
static void edit_environment(struct frame_in *in)
{
	for (uint32_t count = frame_get_count(in, 4); count > 0; count--) {
		struct bytes edit = frame_get_bytes(in);
		char *entry = in->failed ? NULL : strndup((const char *)edit.data, edit.length);
		if (entry == NULL)
			return;
		if (strchr(entry, '=') != NULL) {
			putenv(entry); /* keeps it */
		} else {
			unsetenv(entry);
			free(entry);
		}
	}
}

static void take_local(struct conversation *talk, struct frame_in *in)
{
	if (talk->is_cancelled) {
		end(talk, ASK_KILLED, caught);
		return;
	}
	end(talk, ASK_RUN_LOCALLY, (int)frame_get_u32(in));
	edit_environment(in);
}

static void take_frame(struct conversation *talk, const struct frame *frame)
{
	struct frame_in in = frame_in_of(frame->payload);
	switch (frame->type) {
	case MASTER_STDOUT:
		copy_output(talk, 1, frame->payload);
		break;
	case MASTER_STDERR:
		copy_output(talk, 2, frame->payload);
		break;
	case MASTER_COMMITTING:
		talk->is_committing = true;
		break;
	case MASTER_WANT_STDIN:
		talk->stdin_id = frame_get_u32(&in);
		talk->stdin_max = frame_get_u32(&in);
		talk->wants_stdin = true;
		if (!frame_in_done(&in))
			end_without_master(talk);
		break;
	case MASTER_EXITED:
		take_exited(talk, &in);
		break;
	case MASTER_LOCAL:
		take_local(talk, &in);
		break;
	case MASTER_CANCELLED:
		/* Nothing was applied. Without our having asked for it the master is on its way out. */
		talk->is_committing = false;
		end_without_master(talk);
		break;
	default:
		/* Not of this version of the protocol; what it meant cannot be guessed. */
		end_without_master(talk);
	}
}

static void receive(struct conversation *talk)
{
	ssize_t count = frame_reader_read(&talk->reader, talk->fd);
	if (count == -EAGAIN)
		return;
	if (count <= 0) {
		end_without_master(talk);
		return;
	}
	struct frame frame;
	int got = 0;
	while (!talk->has_ended && (got = frame_reader_next(&talk->reader, &frame)) > 0)
		take_frame(talk, &frame);
	if (got < 0)
		end_without_master(talk);
}

/* Answers the open WANT_STDIN. Called when poll says that stdin can be read, has ended or is not there. */
static void forward_stdin(struct conversation *talk)
{
	static char data[STDIN_MAX];
	size_t most = talk->stdin_max < STDIN_MAX ? talk->stdin_max : STDIN_MAX;
	ssize_t count = read(0, data, most);
	if (count < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (count > 0)
		input_note(data, (size_t)count);
	frame_begin(&talk->out, SHELL_STDIN);
	frame_put_u32(&talk->out, talk->stdin_id);
	frame_put_bytes(&talk->out, (struct bytes){ (unsigned char *)data, count > 0 ? (size_t)count : 0 });
	frame_end(&talk->out);
	talk->wants_stdin = false;
}

static void send_unsent(struct conversation *talk)
{
	if (!talk->can_send)
		return;
	int failed = frame_out_write(&talk->out, talk->fd);
	if (failed && failed != -EAGAIN)
		talk->can_send = false;
}

static void converse(struct conversation *talk)
{
	while (!talk->has_ended) {
		if (caught && !talk->is_cancelled)
			cancel(talk);
		send_unsent(talk);
		int time_left_ms = talk->is_cancelled ? cancel_time_left_ms(talk) : -1;
		if (time_left_ms == 0) {
			end_without_master(talk);
			return;
		}
		bool has_unsent = talk->can_send && frame_out_unsent(&talk->out).length > 0;
		struct pollfd wanted[] = {
			{ .fd = talk->fd, .events = (short)(POLLIN | (has_unsent ? POLLOUT : 0)) },
			{ .fd = 0, .events = POLLIN },
		};
		bool reads_stdin = talk->wants_stdin && !talk->is_cancelled;
		if (poll(wanted, reads_stdin ? 2 : 1, time_left_ms) < 0) {
			if (errno != EINTR)
				end_without_master(talk);
			continue;
		}
		if (wanted[0].revents & (POLLIN | POLLHUP | POLLERR))
			receive(talk);
		if (reads_stdin && wanted[1].revents && !talk->has_ended)
			forward_stdin(talk);
	}
}

static void catch_signals(struct sigaction old[CAUGHT_COUNT])
{
	/* Without SA_RESTART: a signal must end whatever we wait for. */
	struct sigaction action = { .sa_handler = on_signal };
	for (size_t i = 0; i < CAUGHT_COUNT; i++) {
		sigaction(caught_signals[i], &action, &old[i]);
		if (old[i].sa_handler == SIG_IGN && caught_signals[i] != SIGALRM)
			sigaction(caught_signals[i], &old[i], NULL);
	}
}

static void restore_signals(const struct sigaction old[CAUGHT_COUNT])
{
	for (size_t i = 0; i < CAUGHT_COUNT; i++)
		sigaction(caught_signals[i], &old[i], NULL);
}

struct ask_answer ask_master(int fd, const struct ask_question *question)
{
	struct conversation talk = { .fd = fd, .can_send = true };
	struct sigaction old[CAUGHT_COUNT];
	put_run(&talk.out, question);
	catch_signals(old);
	if (talk.out.error)
		end_without_master(&talk);
	converse(&talk);
	restore_signals(old);
	/* From here on a signal does what it did before; one that was caught at the very end still counts. */
	if (caught && talk.answer.end != ASK_KILLED && talk.answer.end != ASK_DIED_COMMITTING)
		talk.answer = (struct ask_answer){ ASK_KILLED, caught };
	fd_close(&talk.fd);
	frame_out_free(&talk.out);
	frame_reader_free(&talk.reader);
	return talk.answer;
}
