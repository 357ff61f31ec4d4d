/*
 * termite-box: runs jobs in sandboxes and serves the mirrors they see, for one executor.
 *
 *     termite-box --socket PATH --store DIRECTORY [--owner UID:GID]
 *
 * System mirrors show everything as owned by --owner (default: ourselves; not asked for without privileges). Prints `ready` when the socket can be connected to; ends, and ends everything it runs, when its stdin is closed.
 * This file is the server: it accepts connections and forks a process for each. Privileges: see README.md.
 */
#include "connection.h"
#include "fd.h"
#include "job_process.h"
#include "storage.h"
#include "log.h"
#include "namespace.h"
#include "template.h"

#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#define SEND_TIMEOUT_S 30 /* an executor that takes nothing for so long is taken for dead */
#define END_TIMEOUT_MS 5000

struct server {
	struct box box;
	const char *socket_path, *store_path;
	char template_path[PATH_MAX];
	int listener;
	int signals; /* a signalfd */
	pid_t pid;
	unsigned owner_uid, owner_gid;
	bool has_owner;
};

static int usage(void)
{
	log_line("usage: termite-box --socket PATH --store DIRECTORY [--owner UID:GID]");
	return -EINVAL;
}

static int parse_options(struct server *server, int argc, char **argv)
{
	static const struct option options[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "store", required_argument, NULL, 'd' },
		{ "owner", required_argument, NULL, 'o' },
		{ 0 },
	};
	int length = 0;
	for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (option == 's')
			server->socket_path = optarg;
		else if (option == 'd')
			server->store_path = optarg;
		else if (option != 'o' || sscanf(optarg, "%u:%u%n", &server->owner_uid, &server->owner_gid, &length) != 2 ||
			 optarg[length] != 0)
			return usage();
		else
			server->has_owner = true;
	}
	return server->socket_path == NULL || server->store_path == NULL || optind != argc ? usage() : 0;
}

static int fail(const char *call, const char *path)
{
	int error = errno;
	log_line("%s \"%s\": %s", call, path, strerror(error));
	return -error;
}

static int open_store(struct server *server)
{
	server->box.store = open(server->store_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (server->box.store < 0)
		return fail("open store", server->store_path);
	server->box.owner_uid = server->has_owner && server->box.is_rootful ? server->owner_uid : server->box.uid;
	server->box.owner_gid = server->has_owner && server->box.is_rootful ? server->owner_gid : server->box.gid;
	server->box.storage_fits_memory = storage_fits_memory(server->box.is_rootful);
	server->box.verified = verified_new();
	server->box.ledger = ledger_new();
	return server->box.verified && server->box.ledger ? 0 : fail("mmap for", "shared tables");
}

static int make_template(struct server *server)
{
	char here[PATH_MAX] = "";
	if (server->socket_path[0] != '/' && getcwd(here, sizeof here) == NULL)
		return fail("getcwd for", server->socket_path);
	char *path = server->template_path;
	int length = snprintf(path, sizeof server->template_path, "%s%s%s.template", here, *here ? "/" : "",
			      server->socket_path);
	if (length < 0 || (size_t)length >= sizeof server->template_path) {
		errno = ENAMETOOLONG;
		return fail("make", server->socket_path);
	}
	server->box.template = path;
	return template_make(path);
}

static int listen_on(struct server *server)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	if (strlen(server->socket_path) >= sizeof address.sun_path) {
		errno = ENAMETOOLONG;
		return fail("bind", server->socket_path);
	}
	strcpy(address.sun_path, server->socket_path);
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail("socket", server->socket_path);
	(void)unlink(server->socket_path);
	mode_t mask = umask(0177);
	int failed = bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 128) < 0;
	umask(mask);
	if (failed)
		return fail("bind", server->socket_path);
	server->listener = steal_fd(&fd);
	return 0;
}

static int block_signals(struct server *server)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	/* For the supervisors of jobs, which are made with this mask. */
	sigset_t of_jobs;
	sigemptyset(&of_jobs);
	sigaddset(&of_jobs, LIMIT_SIGNAL);
	sigprocmask(SIG_BLOCK, &of_jobs, NULL);
	signal(SIGPIPE, SIG_IGN);
	/* A sandbox whose supervisor was killed becomes our child, and is reaped. */
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	server->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return server->signals < 0 ? fail("signalfd for", "SIGCHLD") : 0;
}

/* In the child. Nothing of the server's is needed but what is in the box. */
static void serve_child(struct server *server, int socket, struct ledger_line *line)
{
	/* SIGTERM, so that there is time to clean up; it is blocked, and waits in the signalfd until it is looked at. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != server->pid)
		return;
	fd_close(&server->listener);
	fd_close(&server->signals);
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	AUTO_CLOSE int termination = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	AUTO_CLOSE int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (termination < 0 || null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0)
		return;
	struct timeval timeout = { .tv_sec = SEND_TIMEOUT_S };
	setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
	connection_serve(&(struct connection){
		.box = &server->box,
		.ledger = line,
		.socket = socket,
		.termination = termination,
	});
}

static void accept_connection(struct server *server)
{
	AUTO_CLOSE int socket = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
	if (socket < 0)
		return;
	struct ledger_line *line = ledger_take(server->box.ledger);
	if (line == NULL) {
		log_line("more than %d connections at once: one is refused", LEDGER_LINES);
		return;
	}
	pid_t pid = fork();
	if (pid < 0) {
		log_line("fork: %s", strerror(errno));
		line->kind = LEDGER_FREE;
		return;
	}
	if (pid == 0) {
		line->pid = getpid();
		serve_child(server, socket, line);
		_exit(0);
	}
	line->pid = pid;
}

/* Reaps what has ended. Answers whether any child is left. */
static bool reap(struct server *server)
{
	pid_t pid;
	int status;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (WIFSIGNALED(status))
			log_line("process %d died of signal %d (%s)", pid, WTERMSIG(status), strsignal(WTERMSIG(status)));
		struct ledger_line *line = ledger_find(server->box.ledger, pid);
		if (line != NULL)
			ledger_settle(line);
	}
	return pid == 0;
}

/* True when a signal asks us to end. */
static bool take_signals(struct server *server)
{
	struct signalfd_siginfo info;
	bool ends = false;
	while (read(server->signals, &info, sizeof info) == sizeof info)
		ends |= info.ssi_signo != SIGCHLD;
	reap(server);
	return ends;
}

static void serve(struct server *server)
{
	struct pollfd wanted[] = {
		{ .fd = server->listener, .events = POLLIN },
		{ .fd = server->signals, .events = POLLIN },
		{ .fd = 0, .events = POLLIN },
	};
	for (;;) {
		if (RETRY_EINTR(poll(wanted, 3, -1)) < 0)
			return;
		if (wanted[1].revents && take_signals(server))
			return;
		char ignored[512];
		if (wanted[2].revents && RETRY_EINTR(read(0, ignored, sizeof ignored)) <= 0)
			return;
		if (wanted[0].revents)
			accept_connection(server);
	}
}

static void signal_children(const struct server *server, int number)
{
	for (size_t i = 0; i < LEDGER_LINES; i++) {
		const struct ledger_line *line = &server->box.ledger->lines[i];
		if (line->kind != LEDGER_FREE && line->pid > 0)
			kill(line->pid, number);
	}
}

/* Asks the children to clean up, waits for them, and ends those that do not. */
static void end(struct server *server)
{
	fd_close(&server->listener);
	(void)unlink(server->socket_path);
	signal_children(server, SIGTERM);
	struct pollfd wanted = { .fd = server->signals, .events = POLLIN };
	struct timespec begun, now;
	clock_gettime(CLOCK_MONOTONIC, &begun);
	while (reap(server)) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		long waited_ms = (now.tv_sec - begun.tv_sec) * 1000 + (now.tv_nsec - begun.tv_nsec) / 1000000;
		if (waited_ms >= END_TIMEOUT_MS) {
			signal_children(server, SIGKILL);
			while (waitpid(-1, NULL, 0) > 0)
				continue;
			break;
		}
		(void)poll(&wanted, 1, (int)(END_TIMEOUT_MS - waited_ms));
		struct signalfd_siginfo info;
		while (read(server->signals, &info, sizeof info) == sizeof info)
			continue;
	}
	umount2(server->template_path, MNT_DETACH);
	rmdir(server->template_path);
}

int main(int argc, char **argv)
{
	struct server server = { .listener = -1, .signals = -1, .pid = getpid() };
	log_init("termite-box");
	/* Whatever that of whoever started us: others are to look into what we make for them. */
	umask(022);
	if (parse_options(&server, argc, argv) < 0)
		return 1;
	if (namespace_enter(&server.box) < 0 || open_store(&server) < 0 || make_template(&server) < 0 ||
	    block_signals(&server) < 0 || listen_on(&server) < 0)
		return 1;
	puts("ready");
	fflush(stdout);
	serve(&server);
	end(&server);
	return 0;
}
