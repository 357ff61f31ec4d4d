#include "job.h"

#include "fd.h"
#include "frame_io.h"
#include "harvest.h"
#include "job_process.h"
#include "limits.h"
#include "storage.h"
#include "log.h"
#include "network.h"
#include "noticed.h"
#include "outside.h"
#include "path.h"
#include "plan.h"
#include "project.h"
#include "report.h"
#include "request.h"
#include "sandbox.h"
#include "wire.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

/* How often to look whether the layer is too large: what is written meanwhile must not matter. */
#define LOOK_MS 50

/* A pipe out of the sandbox, and where what comes through it is kept. */
struct output {
	int pipe;
	int file;
};

enum { STDOUT, STDERR, OUTPUTS };

/*
 *   asking for the project's root ──► running ──► ended ──► waiting for the executor to take what is there
 *            │                           │                                        ▲
 *            └───────── broken ──────────┴────────────────────────────────────────┘
 *   A closed connection leads from anywhere to the end.
 */
struct job {
	struct connection *connection;
	const struct box *box;
	struct job_request request;
	struct plan plan;
	struct storage storage;
	struct project project;
	struct frame_out out;
	uid_t uid; /* the job's, outside */
	gid_t gid;

	pid_t pid; /* of the sandbox's init; 0: not started, or reaped */
	int pidfd;
	int limit_signal; /* a signalfd of LIMIT_SIGNAL */
	int mount; /* of the project mirror, until the sandbox has it */
	int network; /* namespace to run in, until the sandbox has it, or -1 */
	int alive; /* closed by our death, which the sandbox notices */
	struct output outputs[OUTPUTS];
	int notice_pipe;
	struct noticed noticed;
	int report_pipe;
	unsigned char *report; /* struct report and text, as far as it has come */
	size_t report_length;

	int64_t deadline_ms; /* CLOCK_MONOTONIC, or 0 */
	int64_t look_ms; /* when to look next how large the layer is */
	bool is_started, is_closed, is_timed_out, is_outgrown;
	bool is_at_limit; /* ended, as its result is of no use */
	char *broken; /* why there is no result */
};

__attribute__((format(printf, 2, 3))) static void break_(struct job *job, const char *format, ...)
{
	if (job->broken != NULL)
		return;
	va_list arguments;
	va_start(arguments, format);
	if (vasprintf(&job->broken, format, arguments) < 0)
		job->broken = strdup("out of memory");
	va_end(arguments);
}

static int64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The job directory and what is in it. False: broken. */
static bool make_directories(struct job *job)
{
	static const char *const files[OUTPUTS] = { JOB_STDOUT, JOB_STDERR };
	const char *path = job->request.job_dir, *call;
	umask(0);
	int failed = storage_make(&job->storage, job->box, job->connection->ledger, &job->request, job->uid, job->gid,
				  &call);
	if (failed) {
		break_(job, "%s for \"%s\": %s", call, path, strerror(-failed));
		return false;
	}
	for (int i = 0; i < OUTPUTS; i++) {
		job->outputs[i].file =
			openat(job->storage.directory, files[i], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (job->outputs[i].file < 0) {
			break_(job, "create \"%s/%s\": %s", path, files[i], strerror(errno));
			return false;
		}
	}
	return true;
}

static int init_project(struct job *job)
{
	const struct job_request *request = &job->request;
	struct project_options options = {
		.root = request->root,
		.directories = request->directories,
		.directory_count = request->directory_count,
		.shown = request->shown,
		.shown_count = request->shown_count,
		.content = { .store = job->box->store, .verified = job->box->verified },
		.uid = job->uid,
		.gid = job->gid,
		.allow_passthrough = job->box->is_rootful && !(request->flags & JOB_PLAIN_READS),
		.out = &job->out,
	};
	return project_init(&job->project, &options);
}

/* The child's half. Privileges: those of the box; then see sandbox.h. */
static _Noreturn void enter_sandbox(struct job *job, int report, int notices, int alive, const int output[OUTPUTS])
{
	struct sandbox sandbox = {
		.box = job->box,
		.request = &job->request,
		.plan = &job->plan,
		.storage = &job->storage,
		.number = job->box->ledger->job_count++,
		.uid = job->uid,
		.gid = job->gid,
		.project = job->mount,
		.network = job->network,
		.report = report,
		.notices = notices,
		.alive = alive,
		.output = { output[STDOUT], output[STDERR] },
		.input = -1,
		.places = -1,
		.home = -1,
	};
	fd_close(&job->alive);
	sandbox_follow_supervisor(&sandbox);
	setsid();
	limits_yield_memory();
	apply_mounts(&sandbox);
	apply_identity(&sandbox);
	init_run(&sandbox);
}

/* A pipe that the job may open again by /dev/stdout, which asks for permission on the pipe's inode. */
static int make_output(const struct job *job, struct output *output, int *end)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	output->pipe = ends[0];
	*end = ends[1];
	return fchown(ends[1], job->uid, job->gid) < 0 ? -errno : 0;
}

static int make_pipes(struct job *job, int output[OUTPUTS], int report[2], int notices[2], int alive[2])
{
	int failed = make_output(job, &job->outputs[STDOUT], &output[STDOUT]);
	if (failed)
		return failed;
	if (job->request.flags & JOB_ONE_OUTPUT) {
		output[STDERR] = fcntl(output[STDOUT], F_DUPFD_CLOEXEC, 3);
		if (output[STDERR] < 0)
			return -errno;
	} else if ((failed = make_output(job, &job->outputs[STDERR], &output[STDERR])) < 0) {
		return failed;
	}
	bool has_failed = pipe2(report, O_CLOEXEC) < 0 || pipe2(notices, O_CLOEXEC) < 0 || pipe2(alive, O_CLOEXEC) < 0;
	return has_failed ? -errno : 0;
}

static int start_sandbox(struct job *job)
{
	int output[OUTPUTS] = { -1, -1 }, report[2] = { -1, -1 }, notices[2] = { -1, -1 }, alive[2] = { -1, -1 };
	int failed = make_pipes(job, output, report, notices, alive);
	job->report_pipe = report[0];
	job->notice_pipe = notices[0];
	job->alive = alive[1];
	if (!failed) {
		job->mount = fuse_mount(&job->project.mirror.session, &(struct fuse_mount_options){
									      .name = "termite-project",
									      .uid = job->box->uid,
									      .gid = job->box->gid,
									      .is_read_only = true,
								      });
		failed = job->mount < 0 ? job->mount : 0;
	}
	if (!failed) {
		unsigned long flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_PIDFD | SIGCHLD;
		if (!(job->request.flags & (JOB_NETWORK | JOB_OWN_NETWORK)))
			job->network = network_find(job->box->ledger, job->request.system_dir);
		if (!(job->request.flags & JOB_NETWORK) && job->network < 0)
			flags |= CLONE_NEWNET;
		long pid = syscall(SYS_clone, flags, 0, &job->pidfd, 0, 0);
		if (pid == 0)
			enter_sandbox(job, report[1], notices[1], alive[0], output);
		failed = pid < 0 ? -errno : 0;
		job->pid = pid < 0 ? 0 : (pid_t)pid;
	}
	fd_close(&job->storage.scratch);
	fd_close(&job->mount);
	fd_close(&job->network);
	fd_close(&output[STDOUT]);
	fd_close(&output[STDERR]);
	fd_close(&report[1]);
	fd_close(&notices[1]);
	fd_close(&alive[0]);
	return failed;
}

/* Starts as soon as the project's root directory is known: the overlay's root looks as it does. */
static void start(struct job *job)
{
	uint32_t mode;
	struct timespec times[2];
	int failed = project_root(&job->project, &mode, &times[0]);
	if (failed == FUSE_PARKED)
		return;
	if (failed) {
		break_(job, "the project's root directory: %s", strerror(-failed));
		return;
	}
	times[1] = times[0];
	if (fchmodat(job->storage.directory, JOB_UPPER, mode & 07777, 0) < 0 ||
	    utimensat(job->storage.directory, JOB_UPPER, times, 0) < 0) {
		break_(job, "chmod of the upper directory: %s", strerror(errno));
		return;
	}
	job->plan = plan_make(&job->request, job->box->is_rootful);
	failed = start_sandbox(job);
	if (failed) {
		break_(job, "clone of the sandbox: %s", strerror(-failed));
		return;
	}
	job->is_started = true;
	if (job->request.timeout_ms > 0 && job->request.timeout_ms < INT64_MAX / 2)
		job->deadline_ms = now_ms() + (int64_t)job->request.timeout_ms;
}

static void kill_sandbox(struct job *job)
{
	if (job->pid != 0)
		(void)syscall(SYS_pidfd_send_signal, job->pidfd, SIGKILL, NULL, 0);
}

static void reap_sandbox(struct job *job)
{
	if (job->pid != 0)
		(void)RETRY_EINTR(waitpid(job->pid, NULL, 0));
	job->pid = 0;
	fd_close(&job->pidfd);
}

static void copy_output(struct job *job, struct output *output)
{
	char buffer[65536];
	ssize_t count = RETRY_EINTR(read(output->pipe, buffer, sizeof buffer));
	if (count <= 0) {
		fd_close(&output->pipe);
		return;
	}
	int failed = fd_write_all(output->file, buffer, (size_t)count);
	if (failed)
		break_(job, "write of the command's output: %s", strerror(-failed));
}

static void read_report(struct job *job)
{
	unsigned char *grown = realloc(job->report, job->report_length + 65536);
	ssize_t count = -1;
	if (grown != NULL) {
		job->report = grown;
		count = RETRY_EINTR(read(job->report_pipe, grown + job->report_length, 65536));
	}
	if (count <= 0)
		fd_close(&job->report_pipe);
	else
		job->report_length += (size_t)count;
}

static void end_at_limit(struct job *job)
{
	if (!job->is_at_limit)
		kill_sandbox(job);
	job->is_at_limit = true;
}

static void read_limit_signal(struct job *job)
{
	struct signalfd_siginfo ignored;
	if (read(job->limit_signal, &ignored, sizeof ignored) > 0)
		end_at_limit(job);
}

static void read_notices(struct job *job)
{
	int got = noticed_read(&job->noticed, job->notice_pipe);
	if (got < 0)
		break_(job, "read of notices: %s", strerror(-got));
	if (got <= 0)
		fd_close(&job->notice_pipe);
	if (noticed_judge(&job->noticed, &job->project, job->request.project_root))
		end_at_limit(job);
}

static void serve_mirror(struct job *job)
{
	if (fuse_serve(&job->project.mirror.session) < 0)
		break_(job, "read of /dev/fuse: %s", strerror(errno));
	if (job->project.concealed == NULL || job->is_at_limit)
		return;
	if (noticed_add(&job->noticed, NOTICED_HIDDEN, job->project.concealed) < 0)
		break_(job, "no memory for a notice");
	end_at_limit(job);
}

static void receive(struct job *job)
{
	struct frame_reader *reader = &job->connection->reader;
	struct frame frame;
	int got;
	if (frame_reader_read(reader, job->connection->socket) <= 0) {
		job->is_closed = true;
		return;
	}
	while ((got = frame_reader_next(reader, &frame)) > 0) {
		if (project_handle_frame(&job->project, &frame) < 0) {
			got = -EBADMSG;
			break;
		}
	}
	if (got < 0)
		break_(job, "the executor's answer is malformed");
}

static bool is_over(const struct job *job)
{
	if (job->is_closed || job->broken != NULL)
		return true;
	if (!job->is_started || job->report_pipe >= 0 || job->notice_pipe >= 0 || job->outputs[STDOUT].pipe >= 0 ||
	    job->outputs[STDERR].pipe >= 0)
		return false;
	/* Init reports after the last other process has gone; taking its namespaces down can go on meanwhile. */
	return job->pid == 0 || job->report_length >= sizeof(struct report);
}

/* Ends a job that has had its time or its memory. Answers how long there is nothing to look at; -1: for ever. */
static int wait_ms(struct job *job)
{
	bool is_watched = job->is_started && job->storage.memory_bytes > 0;
	if ((job->deadline_ms == 0 && !is_watched) || job->is_timed_out || job->is_outgrown || job->is_at_limit)
		return -1;
	int64_t now = now_ms(), next = job->deadline_ms == 0 ? INT64_MAX : job->deadline_ms;
	job->is_timed_out = now >= next;
	if (is_watched && now >= job->look_ms) {
		job->is_outgrown = storage_is_outgrown(&job->storage);
		job->look_ms = now + LOOK_MS;
	}
	if (job->is_timed_out || job->is_outgrown) {
		kill_sandbox(job);
		return -1;
	}
	if (is_watched && job->look_ms < next)
		next = job->look_ms;
	return next - now > INT_MAX ? INT_MAX : (int)(next - now);
}

/* The one loop. Ends when the job is over. */
static void supervise(struct job *job)
{
	enum { CONNECTION, TERMINATION, LIMIT, FUSE, SANDBOX, REPORT, NOTICES, OUT, ERR, COUNT };
	while (!is_over(job)) {
		if (!job->is_started)
			start(job);
		if (frame_out_write(&job->out, job->connection->socket) < 0)
			job->is_closed = true;
		if (is_over(job))
			break;
		struct pollfd wanted[COUNT] = {
			[CONNECTION] = { .fd = job->connection->socket, .events = POLLIN },
			[TERMINATION] = { .fd = job->connection->termination, .events = POLLIN },
			[LIMIT] = { .fd = job->limit_signal, .events = POLLIN },
			[FUSE] = { .fd = job->project.mirror.session.ended ? -1 : job->project.mirror.session.fd,
				   .events = POLLIN },
			[SANDBOX] = { .fd = job->pidfd, .events = POLLIN },
			[REPORT] = { .fd = job->report_pipe, .events = POLLIN },
			[NOTICES] = { .fd = job->notice_pipe, .events = POLLIN },
			[OUT] = { .fd = job->outputs[STDOUT].pipe, .events = POLLIN },
			[ERR] = { .fd = job->outputs[STDERR].pipe, .events = POLLIN },
		};
		/* A FUSE device without a mount says POLLERR, and EPERM to whoever reads it. */
		if (!job->is_started)
			wanted[FUSE].fd = -1;
		if (RETRY_EINTR(poll(wanted, COUNT, wait_ms(job))) < 0)
			break_(job, "poll: %s", strerror(errno));
		if (wanted[TERMINATION].revents)
			job->is_closed = true;
		if (wanted[FUSE].revents)
			serve_mirror(job);
		if (wanted[CONNECTION].revents)
			receive(job);
		for (int i = 0; i < OUTPUTS; i++) {
			if (wanted[OUT + i].revents)
				copy_output(job, &job->outputs[i]);
		}
		if (wanted[NOTICES].revents)
			read_notices(job);
		if (wanted[LIMIT].revents)
			read_limit_signal(job);
		if (wanted[REPORT].revents)
			read_report(job);
		if (wanted[SANDBOX].revents)
			reap_sandbox(job);
		if (job->project.broken != NULL)
			break_(job, "%s", job->project.broken);
		if (job->project.mirror.session.fault != 0)
			break_(job, "the project's mirror: %s",
			       job->project.mirror.fault ? job->project.mirror.fault
							 : strerror(job->project.mirror.session.fault));
	}
}

static void put_outside(struct frame_out *out, const char *text, size_t length)
{
	size_t count_at = frame_put_count(out);
	uint32_t count = 0;
	for (const char *at = text, *end = text + length; at < end && count < OUTSIDE_MAX; count++) {
		size_t path_length = strnlen(at, (size_t)(end - at));
		frame_put_bytes(out, (struct bytes){ (const unsigned char *)at, path_length });
		at += path_length + 1;
	}
	frame_set_count(out, count_at, count);
}

static void put_done(struct job *job, const struct report *report, const char *text, size_t text_length)
{
	struct frame_out *out = &job->out;
	uint32_t kind = job->is_at_limit ? ENDED_LIMIT : ENDED_TIMEOUT, value = 0;
	if (!job->is_at_limit && report->kind == REPORT_ENDED) {
		kind = WIFSIGNALED(report->status) ? ENDED_SIGNAL : ENDED_EXIT;
		value = (uint32_t)(WIFSIGNALED(report->status) ? WTERMSIG(report->status) : WEXITSTATUS(report->status));
	}
	frame_begin(out, BOX_DONE);
	frame_put_u32(out, kind);
	frame_put_u32(out, value);
	frame_put_u64(out, report->started_ns);
	frame_put_u64(out, report->finished_ns);
	frame_put_u64(out, report->user_us);
	frame_put_u64(out, report->system_us);
	frame_put_u64(out, report->max_rss_kib);
	AUTO_FREE char *directory = storage_path(&job->storage, &job->request);
	AUTO_FREE char *path = NULL;
	frame_put_string(out, directory ? directory : "");
	int failed = directory == NULL ? -ENOMEM :
					 harvest(out, job->storage.directory, job->box->is_rootful, &path);
	if (failed)
		break_(job, "harvest of \"%s\": %s", path ? path : "", strerror(-failed));
	trace_put(&job->project.mirror.trace, out, job->project.mirror.top, "");
	put_outside(out, text, text_length);
	trace_put(&job->project.mirror.trace, out, job->project.places, "/");
	frame_put_u32(out, (uint32_t)getpid());
	noticed_put(&job->noticed, out);
	frame_end(out);
	if (out->error)
		break_(job, "the result is too large: %s", strerror(-out->error));
}

/* There is no result, but a way to get one: the type tells. */
static void put_begin_anew(struct job *job, uint32_t type)
{
	frame_begin(&job->out, type);
	frame_end(&job->out);
}

/* The sandbox has ended: DONE, what it needs, or broken. */
static void conclude(struct job *job)
{
	struct report report = { 0 };
	const char *text = "";
	size_t text_length = 0;
	if (job->report_length >= sizeof report) {
		memcpy(&report, job->report, sizeof report);
		text = (const char *)job->report + sizeof report;
		text_length = job->report_length - sizeof report;
	}
	if (job->is_outgrown)
		put_begin_anew(job, BOX_OUTGROWN);
	else if (job->noticed.needs_network)
		put_begin_anew(job, BOX_NEEDS_NETWORK);
	else if (report.kind == REPORT_BROKEN)
		break_(job, "%.*s", (int)text_length, text);
	else if (report.kind != REPORT_ENDED && !job->is_timed_out && !job->is_at_limit)
		break_(job, "the sandbox was killed from outside");
	else
		put_done(job, &report, text, text_length);
}

/* In place of whatever was not sent yet. */
static void put_broken(struct job *job)
{
	frame_out_free(&job->out);
	frame_begin(&job->out, BOX_BROKEN);
	frame_put_string(&job->out, job->broken);
	frame_end(&job->out);
}

static void send_conclusion(struct job *job)
{
	if (frame_out_write(&job->out, job->connection->socket) < 0)
		job->is_closed = true;
}

/* The executor takes the files out of the job directory, then closes the connection. */
static void wait_for_close(struct job *job)
{
	struct pollfd wanted[] = {
		{ .fd = job->connection->socket, .events = POLLIN },
		{ .fd = job->connection->termination, .events = POLLIN },
	};
	while (RETRY_EINTR(poll(wanted, 2, -1)) > 0 && wanted[1].revents == 0) {
		char late_answers[4096];
		if (RETRY_EINTR(read(job->connection->socket, late_answers, sizeof late_answers)) <= 0)
			return;
	}
}

static void job_free(struct job *job)
{
	frame_out_free(&job->out);
	for (int i = 0; i < OUTPUTS; i++) {
		fd_close(&job->outputs[i].pipe);
		fd_close(&job->outputs[i].file);
	}
	fd_close(&job->report_pipe);
	fd_close(&job->notice_pipe);
	fd_close(&job->limit_signal);
	fd_close(&job->alive);
	noticed_free(&job->noticed);
	free(job->report);
	free(job->broken);
	request_free(&job->request);
}

void job_serve(struct connection *connection, struct bytes payload)
{
	sigset_t limit_signals;
	sigemptyset(&limit_signals);
	sigaddset(&limit_signals, LIMIT_SIGNAL);
	struct job job = {
		.connection = connection,
		.box = connection->box,
		.pidfd = -1,
		.storage = { .scratch = -1, .directory = -1 },
		.mount = -1,
		.limit_signal = signalfd(-1, &limit_signals, SFD_CLOEXEC | SFD_NONBLOCK),
		.network = -1,
		.alive = -1,
		.report_pipe = -1,
		.notice_pipe = -1,
		.outputs = { { -1, -1 }, { -1, -1 } },
		.project = { .mirror = { .session = { .fd = -1 } } },
	};
	const char *field;
	int failed = request_parse(&job.request, payload, &field);
	if (failed)
		break_(&job, "JOB: %s: %s", field, strerror(-failed));
	if (job.limit_signal < 0)
		break_(&job, "signalfd: %s", strerror(errno));
	job.uid = job.box->is_rootful ? job.request.host_uid : job.box->uid;
	job.gid = job.box->is_rootful ? job.request.host_gid : job.box->gid;
	if (!failed && make_directories(&job)) {
		failed = init_project(&job);
		if (failed)
			break_(&job, "open \"/dev/fuse\": %s", strerror(-failed));
		supervise(&job);
		if (job.is_closed || job.broken != NULL)
			kill_sandbox(&job);
	}
	if (!job.is_closed && job.broken == NULL)
		conclude(&job);
	if (!job.is_closed && job.broken == NULL)
		send_conclusion(&job);
	/* Ends the FUSE session: whoever waits for an answer of ours gets an error, and can die. */
	project_free(&job.project);
	reap_sandbox(&job);
	if (!job.is_closed && job.broken != NULL) {
		put_broken(&job);
		send_conclusion(&job);
	}
	if (!job.is_closed)
		wait_for_close(&job);
	storage_free(&job.storage, connection->ledger);
	job_free(&job);
}
