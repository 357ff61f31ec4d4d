#include "fuse.h"

#include "fd.h"
#include "log.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/uio.h>

/* The largest message: SETXATTR with a value of 64 KiB. WRITE is limited to a page by INIT's answer. */
#define REQUEST_MAX ((size_t)80 << 10)

/* So that processes that ask without end cannot keep the owner from looking at anything else. */
#define REQUESTS_AT_ONCE 64

int fuse_open(struct fuse_session *session, fuse_handler *handle, void *owner)
{
	*session = (struct fuse_session){ .fd = -1, .owner = owner, .handle = handle };
	AUTO_CLOSE int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	session->request = malloc(REQUEST_MAX + 1);
	session->answer = malloc(FUSE_READ_MAX);
	if (session->request == NULL || session->answer == NULL) {
		fuse_close(session);
		return -ENOMEM;
	}
	session->fd = steal_fd(&fd);
	return 0;
}

int fuse_mount(const struct fuse_session *session, const struct fuse_mount_options *options)
{
	AUTO_CLOSE int context = fsopen("fuse", FSOPEN_CLOEXEC);
	if (context < 0 || fsconfig(context, FSCONFIG_SET_STRING, "source", options->name, 0) < 0 ||
	    fsconfig(context, FSCONFIG_SET_FLAG, "allow_other", NULL, 0) < 0 ||
	    (options->has_permissions && fsconfig(context, FSCONFIG_SET_FLAG, "default_permissions", NULL, 0) < 0) ||
	    (options->is_read_only && fsconfig(context, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0))
		return -errno;
	const struct {
		const char *key;
		unsigned value;
	} numbers[] = {
		{ "fd", (unsigned)session->fd },
		{ "rootmode", 40000 }, /* S_IFDIR, in octal */
		{ "user_id", options->uid },
		{ "group_id", options->gid },
		{ "max_read", FUSE_READ_MAX },
	};
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		char value[16];
		snprintf(value, sizeof value, "%u", numbers[i].value);
		if (fsconfig(context, FSCONFIG_SET_STRING, numbers[i].key, value, 0) < 0)
			return -errno;
	}
	if (fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	int mount = fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOATIME);
	return mount < 0 ? -errno : mount;
}

void fuse_close(struct fuse_session *session)
{
	fd_close(&session->fd);
	free(session->request);
	free(session->answer);
	session->request = session->answer = NULL;
	session->ended = true;
}

static void send_answer(struct fuse_session *session, uint64_t unique, int error, const void *data, size_t length)
{
	struct fuse_out_header header = {
		.len = (uint32_t)(sizeof header + length),
		.error = -error,
		.unique = unique,
	};
	struct iovec parts[] = {
		{ .iov_base = &header, .iov_len = sizeof header },
		{ .iov_base = (void *)(uintptr_t)data, .iov_len = length },
	};
	if (RETRY_EINTR(writev(session->fd, parts, length > 0 ? 2 : 1)) >= 0)
		return;
	/* ENOENT: the request was interrupted and has gone. ENODEV: unmounted. Neither waits for an answer. */
	if (errno == ENOENT || errno == ENODEV)
		return;
	log_line("mirror: answer of %zu bytes: %s", length, strerror(errno));
	session->fault = errno;
	/* The kernel found fault with the answer, so the request still waits: it gets an error instead. */
	if (error != EIO)
		send_answer(session, unique, EIO, NULL, 0);
}

void fuse_answer_error(struct fuse_session *session, uint64_t unique, int error)
{
	send_answer(session, unique, error, NULL, 0);
}

void fuse_answer(struct fuse_session *session, uint64_t unique, const void *data, size_t length)
{
	send_answer(session, unique, 0, data, length);
}

void fuse_handle(struct fuse_session *session, const struct fuse_request *request)
{
	uint64_t unique = request->header->unique;
	int result = session->handle(session->owner, request, session->answer);
	if (result == FUSE_PARKED || result == FUSE_SILENT)
		return;
	if (result < 0)
		fuse_answer_error(session, unique, -result);
	else
		fuse_answer(session, unique, session->answer, (size_t)result);
}

int fuse_serve(struct fuse_session *session)
{
	for (int i = 0; i < REQUESTS_AT_ONCE && !session->ended; i++) {
		ssize_t got = read(session->fd, session->request, REQUEST_MAX);
		if (got < 0) {
			switch (errno) {
			case EAGAIN:
				return 0;
			case EINTR:
			case ENOENT: /* the request was interrupted before it could be read: read on */
				continue;
			case ENODEV: /* unmounted */
			case ECONNABORTED:
				session->ended = true;
				return 0;
			default:
				return -errno;
			}
		}
		const struct fuse_in_header *header = (const void *)session->request;
		if ((size_t)got < sizeof *header || header->len != (uint32_t)got)
			return -EPROTO;
		session->request[got] = 0;
		fuse_handle(session, &(struct fuse_request){
					     .header = header,
					     .arguments = header + 1,
					     .length = (size_t)got - sizeof *header,
				     });
	}
	return 0;
}
