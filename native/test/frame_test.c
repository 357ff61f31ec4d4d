#include "frame.h"
#include "json.h"
#include "tap.h"

#include <errno.h>

/* Writes the fields that the description lists. */
static void put_fields(struct frame_out *out, const struct json *fields)
{
	for (size_t i = 0; i < fields->count; i++) {
		const struct json *field = &fields->items[i];
		const char *kind = json_get(field, "kind")->string;
		if (strcmp(kind, "u32") == 0) {
			frame_put_u32(out, (uint32_t)json_get(field, "value")->number);
		} else if (strcmp(kind, "u64") == 0) {
			frame_put_u64(out, strtoull(json_get(field, "value")->string, NULL, 10));
		} else if (strcmp(kind, "digest") == 0) {
			frame_put_digest(out, (struct digest){
						      bytes_of(json_get(field, "hash")->string),
						      strtoull(json_get(field, "sizeBytes")->string, NULL, 10),
					      });
		} else if (strcmp(kind, "list") == 0) {
			const struct json *items = json_get(field, "of");
			size_t count_at = frame_put_count(out);
			for (size_t item = 0; item < items->count; item++)
				put_fields(out, &items->items[item]);
			frame_set_count(out, count_at, (uint32_t)items->count);
		} else {
			struct bytes bytes = json_hex(json_get(field, "hex"));
			if (strcmp(kind, "raw") == 0)
				frame_put_raw(out, bytes);
			else
				frame_put_bytes(out, bytes);
			golden_free(bytes);
		}
	}
}

/* Whether the payload holds the fields that the description lists. */
static bool has_fields(struct frame_in *in, const struct json *fields)
{
	bool same = true;
	for (size_t i = 0; i < fields->count; i++) {
		const struct json *field = &fields->items[i];
		const char *kind = json_get(field, "kind")->string;
		if (strcmp(kind, "u32") == 0) {
			same &= frame_get_u32(in) == json_get(field, "value")->number;
		} else if (strcmp(kind, "u64") == 0) {
			same &= frame_get_u64(in) == strtoull(json_get(field, "value")->string, NULL, 10);
		} else if (strcmp(kind, "digest") == 0) {
			struct digest digest = frame_get_digest(in);
			same &= bytes_equal(digest.hash, bytes_of(json_get(field, "hash")->string));
			same &= digest.size == strtoull(json_get(field, "sizeBytes")->string, NULL, 10);
		} else if (strcmp(kind, "list") == 0) {
			const struct json *items = json_get(field, "of");
			same &= frame_get_count(in, 4) == items->count;
			for (size_t item = 0; item < items->count; item++)
				same &= has_fields(in, &items->items[item]);
		} else {
			struct bytes bytes = json_hex(json_get(field, "hex"));
			if (strcmp(kind, "raw") == 0) {
				same &= bytes_equal((struct bytes){ in->at, (size_t)(in->end - in->at) }, bytes);
				in->at = in->end;
			} else {
				same &= bytes_equal(frame_get_bytes(in), bytes);
			}
			golden_free(bytes);
		}
	}
	return same;
}

static void feed(struct frame_reader *reader, struct bytes bytes)
{
	while (bytes.length > 0) {
		struct frame_room room = frame_reader_room(reader);
		size_t count = bytes.length < room.length ? bytes.length : room.length;
		memcpy(room.data, bytes.data, count);
		frame_reader_received(reader, count);
		bytes.data += count;
		bytes.length -= count;
	}
}

static void test_golden(const struct json *description)
{
	const char *file = json_get(description, "file")->string;
	const struct json *fields = json_get(description, "fields");
	uint32_t type = (uint32_t)json_get(description, "type")->number;
	struct bytes golden = golden_read(file);

	AUTO_FRAME_OUT struct frame_out out = { 0 };
	frame_begin(&out, type);
	put_fields(&out, fields);
	frame_end(&out);
	tap_ok(!out.error && bytes_equal(frame_out_unsent(&out), golden), "frame_put_*() write %s", file);

	AUTO_FRAME_READER struct frame_reader reader = { 0 };
	struct frame frame;
	feed(&reader, golden);
	bool got = frame_reader_next(&reader, &frame) == 1 && frame.type == type;
	struct frame_in in = frame_in_of(frame.payload);
	tap_ok(got && has_fields(&in, fields) && frame_in_done(&in), "frame_get_*() read %s", file);

	/* Cut short anywhere, the last fields fail; the copy lets the sanitizer see reads beyond the end. */
	bool failed = true;
	bool is_raw = fields->count > 0 && strcmp(json_get(&fields->items[0], "kind")->string, "raw") == 0;
	for (size_t length = 0; !is_raw && length < frame.payload.length; length++) {
		unsigned char *copy = malloc(length + 1);
		memcpy(copy, frame.payload.data, length);
		in = frame_in_of((struct bytes){ copy, length });
		has_fields(&in, fields);
		failed &= !frame_in_done(&in);
		free(copy);
	}
	tap_ok(failed, "frame_in_done() is false for %s cut short anywhere", file);
	golden_free(golden);
}

static void test_reader_byte_by_byte(const struct json *all)
{
	AUTO_FRAME_READER struct frame_reader reader = { 0 };
	struct frame frame;
	size_t seen = 0;
	bool right = true;
	for (size_t i = 0; i < all->count; i++) {
		struct bytes golden = golden_read(json_get(&all->items[i], "file")->string);
		for (size_t at = 0; at < golden.length; at++) {
			right &= frame_reader_next(&reader, &frame) == 0;
			feed(&reader, (struct bytes){ golden.data + at, 1 });
		}
		if (frame_reader_next(&reader, &frame) == 1 && frame.type == json_get(&all->items[i], "type")->number)
			seen++;
		golden_free(golden);
	}
	tap_ok(right && seen == all->count, "frame_reader_next() gives frames that arrive byte by byte");
}

static void test_reader_large(void)
{
	AUTO_FRAME_OUT struct frame_out out = { 0 };
	size_t length = 3 << 20;
	unsigned char *content = malloc(length);
	for (size_t i = 0; i < length; i++)
		content[i] = (unsigned char)(i * 7);
	for (uint32_t type = 1; type <= 3; type++) {
		frame_begin(&out, type);
		frame_put_raw(&out, (struct bytes){ content, length });
		frame_end(&out);
	}
	AUTO_FRAME_READER struct frame_reader reader = { 0 };
	feed(&reader, frame_out_unsent(&out));
	struct frame frame;
	uint32_t seen = 0;
	while (frame_reader_next(&reader, &frame) == 1) {
		if (frame.type == seen + 1 && bytes_equal(frame.payload, (struct bytes){ content, length }))
			seen++;
	}
	tap_ok(seen == 3, "frame_reader_next() gives several large frames from one buffer");
	free(content);
}

static void test_limits(void)
{
	AUTO_FRAME_READER struct frame_reader reader = { 0 };
	struct frame frame;
	feed(&reader, (struct bytes){ (const unsigned char *)"\x01\x00\x00\x04\x00\x00\x00\x00", 8 });
	tap_ok(frame_reader_next(&reader, &frame) == -EMSGSIZE, "frame_reader_next() refuses more than 64 MiB");

	AUTO_FRAME_OUT struct frame_out out = { 0 };
	unsigned char *content = calloc(1, FRAME_PAYLOAD_MAX);
	frame_begin(&out, 1);
	frame_put_raw(&out, (struct bytes){ content, FRAME_PAYLOAD_MAX });
	frame_end(&out);
	tap_ok(out.error == 0, "frame_end() accepts 64 MiB");
	frame_begin(&out, 2);
	frame_put_bytes(&out, (struct bytes){ content, FRAME_PAYLOAD_MAX });
	frame_end(&out);
	tap_ok(out.error == -EMSGSIZE, "frame_end() refuses more than 64 MiB");
	free(content);

	struct frame_in in = frame_in_of((struct bytes){ (const unsigned char *)"\xff\xff\xff\xff....", 8 });
	tap_ok(frame_get_count(&in, 4) == 0 && in.failed, "frame_get_count() refuses a count that cannot be true");
	in = frame_in_of((struct bytes){ (const unsigned char *)"\xff\xff\xff\xff....", 8 });
	tap_ok(frame_get_bytes(&in).length == 0 && in.failed, "frame_get_bytes() refuses a length beyond the payload");
	in = frame_in_of((struct bytes){ (const unsigned char *)"\x01\x00\x00\x00.", 5 });
	frame_get_u32(&in);
	tap_ok(!frame_in_done(&in), "frame_in_done() is false when something is left over");
}

static void test_partial_sending(void)
{
	AUTO_FRAME_OUT struct frame_out out = { 0 };
	for (uint32_t type = 1; type <= 2; type++) {
		frame_begin(&out, type);
		frame_put_u32(&out, type);
		frame_end(&out);
		frame_out_sent(&out, 5);
	}
	struct bytes rest = frame_out_unsent(&out);
	tap_ok(rest.length == 14 && rest.data[9] == 0 && rest.data[10] == 2,
	       "frame_out_unsent() is what was not sent, also when a frame is added in between");
	frame_out_sent(&out, 14);
	tap_ok(frame_out_unsent(&out).length == 0 && out.length == 0, "frame_out_sent() uses the memory anew");
}

int main(void)
{
	struct json all = golden_describe("frames.json");
	for (size_t i = 0; i < all.count; i++)
		test_golden(&all.items[i]);
	test_reader_byte_by_byte(&all);
	json_free(&all);
	test_reader_large();
	test_limits();
	test_partial_sending();
	return tap_done();
}
