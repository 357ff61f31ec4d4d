#include "frame.h"

#include <errno.h>

#define READ_SIZE ((size_t)64 << 10)

static void store_u32(unsigned char *at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		at[i] = (unsigned char)(value >> (8 * i));
}

static uint32_t load_u32(const unsigned char *at)
{
	return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* Where `count` more bytes may be written, already counted as part of the buffer; NULL after an error. */
static unsigned char *extend(struct frame_out *out, size_t count)
{
	if (out->error)
		return NULL;
	if (count > FRAME_PAYLOAD_MAX + FRAME_HEADER_LENGTH) {
		out->error = -EMSGSIZE;
		return NULL;
	}
	if (count > out->capacity - out->length) {
		size_t wanted = out->length + count;
		size_t capacity = out->capacity < 512 ? 1024 : out->capacity * 2;
		if (capacity < wanted)
			capacity = wanted;
		unsigned char *data = realloc(out->data, capacity);
		if (data == NULL) {
			out->error = -ENOMEM;
			return NULL;
		}
		out->data = data;
		out->capacity = capacity;
	}
	unsigned char *at = out->data + out->length;
	out->length += count;
	return at;
}

void frame_begin(struct frame_out *out, uint32_t type)
{
	size_t begun = out->length;
	unsigned char *header = extend(out, FRAME_HEADER_LENGTH);
	if (header == NULL)
		return;
	out->begun = begun;
	store_u32(header, 0);
	store_u32(header + 4, type);
}

void frame_put_u32(struct frame_out *out, uint32_t value)
{
	unsigned char *at = extend(out, 4);
	if (at)
		store_u32(at, value);
}

void frame_put_u64(struct frame_out *out, uint64_t value)
{
	unsigned char *at = extend(out, 8);
	if (at) {
		store_u32(at, (uint32_t)value);
		store_u32(at + 4, (uint32_t)(value >> 32));
	}
}

void frame_put_raw(struct frame_out *out, struct bytes bytes)
{
	unsigned char *at = extend(out, bytes.length);
	if (at && bytes.length != 0)
		memcpy(at, bytes.data, bytes.length);
}

void frame_put_bytes(struct frame_out *out, struct bytes bytes)
{
	if (bytes.length > FRAME_PAYLOAD_MAX) {
		if (!out->error)
			out->error = -EMSGSIZE;
		return;
	}
	frame_put_u32(out, (uint32_t)bytes.length);
	frame_put_raw(out, bytes);
}

void frame_put_string(struct frame_out *out, const char *string)
{
	frame_put_bytes(out, bytes_of(string));
}

void frame_put_digest(struct frame_out *out, struct digest digest)
{
	frame_put_bytes(out, digest.hash);
	frame_put_u64(out, digest.size);
}

size_t frame_put_count(struct frame_out *out)
{
	size_t count_at = out->length;
	frame_put_u32(out, 0);
	return count_at;
}

void frame_set_count(struct frame_out *out, size_t count_at, uint32_t count)
{
	if (!out->error)
		store_u32(out->data + count_at, count);
}

void frame_end(struct frame_out *out)
{
	if (out->error)
		return;
	size_t payload = out->length - out->begun - FRAME_HEADER_LENGTH;
	if (payload > FRAME_PAYLOAD_MAX) {
		out->error = -EMSGSIZE;
		return;
	}
	store_u32(out->data + out->begun, (uint32_t)payload);
}

void frame_out_sent(struct frame_out *out, size_t count)
{
	out->sent += count;
	if (out->sent == out->length)
		out->sent = out->length = 0;
}

void frame_out_free(struct frame_out *out)
{
	free(out->data);
	*out = (struct frame_out){ 0 };
}

static const unsigned char *take(struct frame_in *in, size_t count)
{
	if (in->failed || count > (size_t)(in->end - in->at)) {
		in->failed = true;
		return NULL;
	}
	const unsigned char *at = in->at;
	in->at += count;
	return at;
}

uint32_t frame_get_u32(struct frame_in *in)
{
	const unsigned char *at = take(in, 4);
	return at ? load_u32(at) : 0;
}

uint64_t frame_get_u64(struct frame_in *in)
{
	const unsigned char *at = take(in, 8);
	return at ? (uint64_t)load_u32(at) | (uint64_t)load_u32(at + 4) << 32 : 0;
}

struct bytes frame_get_bytes(struct frame_in *in)
{
	size_t length = frame_get_u32(in);
	const unsigned char *at = take(in, length);
	return at ? (struct bytes){ at, length } : (struct bytes){ NULL, 0 };
}

struct digest frame_get_digest(struct frame_in *in)
{
	struct digest digest = { .hash = frame_get_bytes(in) };
	digest.size = frame_get_u64(in);
	return digest;
}

uint32_t frame_get_count(struct frame_in *in, size_t item_min)
{
	uint32_t count = frame_get_u32(in);
	if (!in->failed && item_min > 0 && count > (size_t)(in->end - in->at) / item_min)
		in->failed = true;
	return in->failed ? 0 : count;
}

bool frame_in_done(const struct frame_in *in)
{
	return !in->failed && in->at == in->end;
}

struct frame_room frame_reader_room(struct frame_reader *reader)
{
	size_t untaken = reader->length - reader->taken;
	if (reader->taken > 0) {
		memmove(reader->data, reader->data + reader->taken, untaken);
		reader->length = untaken;
		reader->taken = 0;
	}
	if (reader->capacity - reader->length < READ_SIZE / 4) {
		size_t capacity = reader->capacity < READ_SIZE ? READ_SIZE : reader->capacity * 2;
		unsigned char *data = realloc(reader->data, capacity);
		if (data == NULL)
			return (struct frame_room){ NULL, 0 };
		reader->data = data;
		reader->capacity = capacity;
	}
	return (struct frame_room){ reader->data + reader->length, reader->capacity - reader->length };
}

void frame_reader_received(struct frame_reader *reader, size_t count)
{
	reader->length += count;
}

int frame_reader_next(struct frame_reader *reader, struct frame *frame)
{
	size_t untaken = reader->length - reader->taken;
	if (untaken < FRAME_HEADER_LENGTH)
		return 0;
	const unsigned char *header = reader->data + reader->taken;
	size_t payload = load_u32(header);
	if (payload > FRAME_PAYLOAD_MAX)
		return -EMSGSIZE;
	if (untaken < FRAME_HEADER_LENGTH + payload)
		return 0;
	frame->type = load_u32(header + 4);
	frame->payload = (struct bytes){ header + FRAME_HEADER_LENGTH, payload };
	reader->taken += FRAME_HEADER_LENGTH + payload;
	return 1;
}

void frame_reader_free(struct frame_reader *reader)
{
	free(reader->data);
	*reader = (struct frame_reader){ 0 };
}
