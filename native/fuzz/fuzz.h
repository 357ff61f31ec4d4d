/*
 * What the fuzz targets share. A target is a file *_fuzz.c with the entry point of libFuzzer: it gives bytes to a parser as if they
 * came from elsewhere, and requires of the result what its header promises. The sanitizers see the rest.
 */
#ifndef TERMITE_FUZZ_H
#define TERMITE_FUZZ_H

#include "bytes.h"
#include "frame.h"

#include <stdio.h>

/* The input is malloc'ed and just as long as it says, so that every read beyond it is seen. Answers 0. */
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

#define REQUIRE(holds)                                                            \
	do {                                                                      \
		if (!(holds)) {                                                   \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #holds); \
			abort();                                                  \
		}                                                                 \
	} while (0)

/*
 * Takes the next frame off the input; one that claims more than there is has the rest. Lenient, since a target that gave up at the
 * first wrong length would seldom get far. A malloc'ed payload, with a NUL behind it; false at the end.
 */
static inline bool fuzz_take_frame(struct bytes *input, struct frame *frame)
{
	if (input->length < FRAME_HEADER_LENGTH)
		return false;
	uint32_t head[2];
	memcpy(head, input->data, sizeof head);
	input->data += sizeof head;
	input->length -= sizeof head;
	size_t length = head[0] < input->length ? head[0] : input->length;
	unsigned char *payload = malloc(length + 1);
	if (payload == NULL)
		return false;
	memcpy(payload, input->data, length);
	payload[length] = 0;
	*frame = (struct frame){ head[1], { payload, length } };
	input->data += length;
	input->length -= length;
	return true;
}

static inline void fuzz_free_frame(const struct frame *frame)
{
	free((void *)(uintptr_t)frame->payload.data);
}

#endif
