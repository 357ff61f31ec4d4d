/* A stream of frames, however it arrives, and fields of every kind: what is read is written again as it was. */
#include "fuzz.h"

#include <errno.h>

static void put_again(struct frame_out *again, const struct frame *frame)
{
	frame_begin(again, frame->type);
	frame_put_raw(again, frame->payload);
	frame_end(again);
}

/* The first byte of the payload says what is taken for what. */
static void read_fields(struct bytes payload)
{
	AUTO_FRAME_OUT struct frame_out again = { 0 };
	struct frame_in in = frame_in_of(payload);
	unsigned kinds = payload.length > 0 ? payload.data[0] : 0;
	frame_begin(&again, 1);
	while (!in.failed && in.at < in.end) {
		switch (kinds & 3) {
		case 0:
			frame_put_u32(&again, frame_get_u32(&in));
			break;
		case 1:
			frame_put_digest(&again, frame_get_digest(&in));
			break;
		case 2:
			frame_put_bytes(&again, frame_get_bytes(&in));
			break;
		default: {
			uint32_t count = frame_get_count(&in, 8);
			frame_put_u32(&again, count);
			REQUIRE(count <= payload.length / 8);
			for (uint32_t i = 0; i < count; i++)
				frame_put_u64(&again, frame_get_u64(&in));
		}
		}
		kinds = kinds >> 2 | (kinds & 3) << 6;
	}
	frame_end(&again);
	struct bytes written = frame_out_unsent(&again);
	written.data += FRAME_HEADER_LENGTH;
	written.length -= FRAME_HEADER_LENGTH;
	REQUIRE(!frame_in_done(&in) || bytes_equal(written, payload));
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	AUTO_FRAME_READER struct frame_reader reader = { 0 };
	AUTO_FRAME_OUT struct frame_out again = { 0 };
	struct frame frame;
	int got = 0;
	/* The first byte says in which portions it comes. */
	size_t at = 0, portion = size > 0 ? 1 + data[0] * (size_t)7 : 1;
	while (got == 0 && at < size) {
		struct frame_room room = frame_reader_room(&reader);
		REQUIRE(room.data != NULL && room.length > 0);
		size_t count = size - at < portion ? size - at : portion;
		memcpy(room.data, data + at, count);
		frame_reader_received(&reader, count);
		at += count;
		while ((got = frame_reader_next(&reader, &frame)) > 0) {
			put_again(&again, &frame);
			read_fields(frame.payload);
		}
	}
	REQUIRE(got == 0 || got == -EMSGSIZE);
	struct bytes written = frame_out_unsent(&again);
	REQUIRE(written.length <= size && (written.length == 0 || memcmp(written.data, data, written.length) == 0));
	return 0;
}
