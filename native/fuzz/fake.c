/*
 * The world around a mirror: the linker puts these in the place of the functions of the same name (see --wrap in the Makefile), so
 * that a target makes no system call and every run is like the first. Blobs are there or not as their sizes tell.
 */
#include "fuzz.h"

#include "../mirror/job_process.h"
#include "../mirror/mirror.h"
#include "fake.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/uio.h>

void __wrap_log_line(const char *format, ...);
int __wrap_fuse_open(struct fuse_session *session, fuse_handler *handle, void *owner);
void __wrap_fuse_close(struct fuse_session *session);
ssize_t __wrap_writev(int fd, const struct iovec *parts, int count);
int __wrap_content_open(struct content *content, struct node *node);
int __wrap_content_open_blob(const struct content *content, struct digest digest);
int __wrap_content_remember(struct content *content, struct digest digest);
pid_t __wrap_job_process(uint32_t thread);
const char *__wrap_local_variable(const char *name);

const char *fake_variable;

static size_t unanswered_count;

void __wrap_log_line(const char *format, ...)
{
	(void)format;
}

int __wrap_fuse_open(struct fuse_session *session, fuse_handler *handle, void *owner)
{
	static unsigned char answer[FUSE_READ_MAX];
	*session = (struct fuse_session){ .fd = -1, .owner = owner, .handle = handle, .answer = answer };
	return 0;
}

void __wrap_fuse_close(struct fuse_session *session)
{
	session->answer = NULL;
	session->ended = true;
}

/* As strict as fuse_dev_do_write() of the kernel. */
ssize_t __wrap_writev(int fd, const struct iovec *parts, int count)
{
	(void)fd;
	const struct fuse_out_header *header = parts[0].iov_base;
	size_t length = parts[0].iov_len + (count > 1 ? parts[1].iov_len : 0);
	REQUIRE(parts[0].iov_len == sizeof *header && header->len == length && length <= sizeof *header + FUSE_READ_MAX);
	REQUIRE(header->error <= 0 && header->error > -512 && (header->error == 0 || count == 1));
	REQUIRE(unanswered_count-- > 0);
	return (ssize_t)length;
}

int __wrap_content_open(struct content *content, struct node *node)
{
	static int zeros = -1;
	(void)content;
	if (zeros < 0)
		zeros = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	switch (node->digest.size % 4) {
	case 0:
		return -EAGAIN;
	case 1:
		return -EIO;
	default:
		return zeros;
	}
}

int __wrap_content_open_blob(const struct content *content, struct digest digest)
{
	(void)content;
	return digest.size % 4 == 1 ? -EIO : -EAGAIN;
}

int __wrap_content_remember(struct content *content, struct digest digest)
{
	(void)content;
	return digest.size % 2 ? -ENOENT : 0;
}

pid_t __wrap_job_process(uint32_t thread)
{
	return (pid_t)(thread & 1);
}

const char *__wrap_local_variable(const char *name)
{
	(void)name;
	return fake_variable;
}

static bool has_answer(uint32_t opcode)
{
	return opcode != FUSE_FORGET && opcode != FUSE_BATCH_FORGET && opcode != FUSE_INTERRUPT;
}

void fake_fuse(struct mirror *mirror, struct bytes payload)
{
	static uint64_t unique;
	uint32_t head[2] = { 0 };
	size_t taken = payload.length < sizeof head ? payload.length : sizeof head;
	memcpy(head, payload.data, taken);
	struct bytes arguments = { payload.data + taken, payload.length - taken };
	size_t length = sizeof(struct fuse_in_header) + arguments.length;
	unsigned char *message = malloc(length + 1);
	REQUIRE(message != NULL);
	/* No process asks: what is done with its number is to look into /proc. */
	struct fuse_in_header header = { .len = (uint32_t)length, .opcode = head[0], .nodeid = head[1], .unique = ++unique };
	memcpy(message, &header, sizeof header);
	memcpy(message + sizeof header, arguments.data, arguments.length);
	message[length] = 0;
	unanswered_count += has_answer(head[0]);
	const void *start = message;
	fuse_handle(&mirror->session,
		    &(struct fuse_request){ start, message + sizeof header, arguments.length });
	free(message);
}

void fake_end(void)
{
	REQUIRE(unanswered_count == 0);
}
