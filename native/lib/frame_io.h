/* Frames through a descriptor, blocking or not. Frames themselves: frame.h. */
#ifndef TERMITE_FRAME_IO_H
#define TERMITE_FRAME_IO_H

#include "frame.h"

/*
 * Reads once. Above 0 the count of bytes that arrived, 0 at the end of the stream, -EAGAIN when a non-blocking
 * descriptor has nothing, -errno otherwise.
 */
ssize_t frame_reader_read(struct frame_reader *reader, int fd);

/*
 * Sends what is unsent. 0 when nothing is left; -EAGAIN when a non-blocking descriptor takes no more (wait for
 * POLLOUT, call again); -errno otherwise, also when encoding had failed. Never raises SIGPIPE on a socket.
 */
int frame_out_write(struct frame_out *out, int fd);

/* The same, waiting for as long as it takes. 0 or -errno. */
int frame_out_write_all(struct frame_out *out, int fd);

#endif
