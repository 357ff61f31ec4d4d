/* The mirror of the system: MOUNT, then what executor and kernel send, in any order (see fake.h). */
#include "../mirror/system.c"

#include "fake.h"
#include "fuzz.h"

static void converse(struct system *system, struct bytes input)
{
	struct frame frame;
	bool is_over = false;
	while (!is_over && fuzz_take_frame(&input, &frame)) {
		if (frame.type >= EXECUTOR_MOUNT && frame.type <= EXECUTOR_RELISTED)
			is_over = handle_frame(system, &frame) != 0;
		else
			fake_fuse(&system->mirror, frame.payload);
		fuzz_free_frame(&frame);
		is_over |= system->mirror.session.fault != 0 || system->out.error;
		frame_out_sent(&system->out, system->out.length);
	}
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct bytes input = { data, size };
	struct frame mount;
	if (!fuzz_take_frame(&input, &mount))
		return 0;
	AUTO_FREE char *directory = system_mount_directory(mount.payload);
	struct system *system = calloc(1, sizeof *system);
	REQUIRE(system != NULL && mirror_init(&system->mirror, &system_layer, system) == 0);
	if (parse(system, mount.payload) == 0)
		converse(system, input);
	system_free(system);
	fake_end();
	fuzz_free_frame(&mount);
	return 0;
}
