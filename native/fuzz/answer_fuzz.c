/* What the master answers a shell: any frames but those that are only copied to its output. */
#include "fuzz.h"

/* Our own environment stays as it is. */
static int drop(char *entry)
{
	free(entry);
	return 0;
}
#define putenv drop
#define unsetenv(name) ((void)(name))
#include "../shell/ask.c"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct bytes input = { data, size };
	struct conversation talk = { .can_send = true };
	struct frame frame;
	while (!talk.has_ended && fuzz_take_frame(&input, &frame)) {
		if (frame.type != MASTER_STDOUT && frame.type != MASTER_STDERR)
			take_frame(&talk, &frame);
		fuzz_free_frame(&frame);
	}
	REQUIRE(!talk.has_ended || talk.answer.end != ASK_EXITED || (talk.answer.value & ~0xff) == 0);
	return 0;
}
