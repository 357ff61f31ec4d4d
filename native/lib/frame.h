/*
 * Frames: how the programs of Termite talk over sockets and pipes. Pure: no system calls but for memory; frame_io.h
 * does the reading and writing.
 *
 * A frame is u32 length (of the payload), u32 type, payload. A payload is a fixed sequence of fields: u32, u64,
 * bytes (u32 length + raw), digest (bytes hash + u64 size), list (u32 count + that many items). Numbers are little
 * endian. The same format is written in TypeScript in protocol/frame.ts; test/golden/ holds byte-exact examples that
 * the tests of both sides read.
 */
#ifndef TERMITE_FRAME_H
#define TERMITE_FRAME_H

#include "bytes.h"
#include "digest.h"

#include <stdint.h>

#define FRAME_HEADER_LENGTH 8
#define FRAME_PAYLOAD_MAX ((size_t)64 << 20)

/*
 * Encoding: any number of frames, one after the other, in one growing buffer. Begin with { 0 }, end with
 * frame_out_free(). An error (-ENOMEM, -EMSGSIZE) sticks and turns later calls into nothing, so that one look at
 * `error` after the last field is enough.
 *
 *     frame_begin(&out, FRAME_EXITED);
 *     frame_put_u32(&out, kind);
 *     frame_put_u32(&out, value);
 *     frame_end(&out);
 */
struct frame_out {
	unsigned char *data; /* what is still to be sent is data[sent..length) */
	size_t length, capacity, sent;
	size_t begun; /* where the header of the open frame is */
	int error;
};

void frame_begin(struct frame_out *out, uint32_t type);
void frame_put_u32(struct frame_out *out, uint32_t value);
void frame_put_u64(struct frame_out *out, uint64_t value);
void frame_put_bytes(struct frame_out *out, struct bytes bytes);
void frame_put_string(struct frame_out *out, const char *string);
void frame_put_digest(struct frame_out *out, struct digest digest);
void frame_put_raw(struct frame_out *out, struct bytes bytes); /* without a length: for a payload that is one blob */
/* A list whose count is known only afterwards: what put_count returns is for set_count. */
size_t frame_put_count(struct frame_out *out);
void frame_set_count(struct frame_out *out, size_t count_at, uint32_t count);
void frame_end(struct frame_out *out);

/* Takes note that the next `count` bytes were sent; when nothing is left, the memory is used anew. */
void frame_out_sent(struct frame_out *out, size_t count);
static inline struct bytes frame_out_unsent(const struct frame_out *out)
{
	return out->sent == out->length ? (struct bytes){ NULL, 0 }
					: (struct bytes){ out->data + out->sent, out->length - out->sent };
}
void frame_out_free(struct frame_out *out);
#define AUTO_FRAME_OUT __attribute__((cleanup(frame_out_free)))

/*
 * Decoding one payload. Reading beyond its end sets `failed` and from then on gives zeros and empty bytes, so that
 * one frame_in_done() after the last field is enough. Bytes point into the payload and live as long as it does.
 */
struct frame_in {
	const unsigned char *at, *end;
	bool failed;
};

static inline struct frame_in frame_in_of(struct bytes payload)
{
	return (struct frame_in){ payload.data, payload.length > 0 ? payload.data + payload.length : payload.data, false };
}

uint32_t frame_get_u32(struct frame_in *in);
uint64_t frame_get_u64(struct frame_in *in);
struct bytes frame_get_bytes(struct frame_in *in);
struct digest frame_get_digest(struct frame_in *in);
/*
 * The count of a list whose items take at least item_min bytes each (4 for bytes). A count that the rest of the
 * payload cannot hold fails, so that it is safe to allocate by the answer.
 */
uint32_t frame_get_count(struct frame_in *in, size_t item_min);
/* Whether everything could be read and nothing was left over. */
bool frame_in_done(const struct frame_in *in);

/*
 * Cutting a stream into frames, however it arrives. Begin with { 0 }, end with frame_reader_free().
 *
 *     room = frame_reader_room(&reader);             where the next bytes go; { NULL, 0 } when out of memory
 *     frame_reader_received(&reader, count);         that many arrived there
 *     while ((got = frame_reader_next(&reader, &frame)) > 0) ...
 */
struct frame {
	uint32_t type;
	struct bytes payload; /* valid until the next frame_reader_room() */
};

struct frame_reader {
	unsigned char *data; /* what has not been taken yet is data[taken..length) */
	size_t length, capacity, taken;
};

struct frame_room {
	unsigned char *data;
	size_t length;
};

struct frame_room frame_reader_room(struct frame_reader *reader);
void frame_reader_received(struct frame_reader *reader, size_t count);
/* 1 and a frame, 0 when more bytes are needed, -EMSGSIZE when the peer announces more than a frame may hold. */
int frame_reader_next(struct frame_reader *reader, struct frame *frame);
void frame_reader_free(struct frame_reader *reader);
#define AUTO_FRAME_READER __attribute__((cleanup(frame_reader_free)))

#endif
