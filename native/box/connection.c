#include "connection.h"

#include "fd.h"
#include "frame_io.h"
#include "job.h"
#include "log.h"
#include "network.h"
#include "system.h"
#include "wire.h"

#include <string.h>

/* 1 and the first frame, 0 when the connection ended before, or -errno. */
static int first_frame(struct connection *connection, struct frame *frame)
{
	struct pollfd wanted[] = {
		{ .fd = connection->socket, .events = POLLIN },
		{ .fd = connection->termination, .events = POLLIN },
	};
	for (;;) {
		int got = frame_reader_next(&connection->reader, frame);
		if (got != 0)
			return got;
		if (RETRY_EINTR(poll(wanted, 2, -1)) < 0)
			return -errno;
		if (wanted[1].revents)
			return 0;
		ssize_t count = frame_reader_read(&connection->reader, connection->socket);
		if (count <= 0)
			return (int)count;
	}
}

static void serve_system(struct connection *connection, const struct frame *frame)
{
	AUTO_FREE char *directory = system_mount_directory(frame->payload);
	if (directory != NULL && ledger_note(connection->ledger, LEDGER_MOUNT, directory) < 0)
		return;
	int failed = network_make(connection->ledger);
	if (failed)
		log_line("connection: unshare of the network: %s: each job makes its own", strerror(-failed));
	system_serve(&(struct system_options){
		.connection = connection->socket,
		.termination = connection->termination,
		.reader = &connection->reader,
		.mount = frame->payload,
		.store = connection->box->store,
		.verified = connection->box->verified,
		.uid = connection->box->owner_uid,
		.gid = connection->box->owner_gid,
	});
	ledger_clear(connection->ledger);
}

void connection_serve(struct connection *connection)
{
	struct frame frame;
	int got = first_frame(connection, &frame);
	if (got < 0)
		log_line("connection: %s", strerror(-got));
	if (got > 0) {
		switch (frame.type) {
		case EXECUTOR_MOUNT:
			serve_system(connection, &frame);
			break;
		case EXECUTOR_JOB:
			job_serve(connection, frame.payload);
			break;
		default:
			log_line("connection: begins with a frame of type 0x%x", frame.type);
		}
	}
	frame_reader_free(&connection->reader);
}
