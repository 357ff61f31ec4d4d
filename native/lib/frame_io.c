#include "frame_io.h"

#include "fd.h"

#include <sys/socket.h>

ssize_t frame_reader_read(struct frame_reader *reader, int fd)
{
	struct frame_room room = frame_reader_room(reader);
	if (room.data == NULL)
		return -ENOMEM;
	ssize_t count = RETRY_EINTR(read(fd, room.data, room.length));
	if (count < 0)
		return -errno;
	frame_reader_received(reader, (size_t)count);
	return count;
}

static ssize_t write_without_signal(int fd, struct bytes bytes)
{
	ssize_t count = RETRY_EINTR(send(fd, bytes.data, bytes.length, MSG_NOSIGNAL));
	if (count < 0 && errno == ENOTSOCK)
		count = RETRY_EINTR(write(fd, bytes.data, bytes.length));
	return count;
}

int frame_out_write(struct frame_out *out, int fd)
{
	if (out->error)
		return out->error;
	while (out->sent < out->length) {
		ssize_t count = write_without_signal(fd, frame_out_unsent(out));
		if (count < 0)
			return -errno;
		frame_out_sent(out, (size_t)count);
	}
	return 0;
}

int frame_out_write_all(struct frame_out *out, int fd)
{
	for (;;) {
		int failed = frame_out_write(out, fd);
		if (failed != -EAGAIN)
			return failed;
		failed = fd_wait(fd, POLLOUT);
		if (failed)
			return failed;
	}
}
