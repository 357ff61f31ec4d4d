/* JOB: what the executor asks the box for. The input is a frame, whose type does not matter. */
#include "fuzz.h"

#include "../box/plan.h"
#include "../box/request.h"

#include <errno.h>

static void check(const struct job_request *request)
{
	const char *const paths[] = { request->job_dir, request->system_dir, request->project_root, request->cwd };
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
		REQUIRE(paths[i][0] == '/' && strstr(paths[i], "//") == NULL);
	REQUIRE(request->home[0] == '/' || request->home[0] == 0);
	REQUIRE(request->argv[0] != NULL && digest_is_valid(request->root));
	for (int is_rootful = 0; is_rootful < 2; is_rootful++)
		REQUIRE(plan_make(request, is_rootful).count <= PLAN_STEPS_MAX);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct bytes input = { data, size };
	struct frame frame;
	if (!fuzz_take_frame(&input, &frame))
		return 0;
	struct job_request request;
	const char *field = NULL;
	int failed = request_parse(&request, frame.payload, &field);
	REQUIRE(failed == 0 || (failed == -EBADMSG && field != NULL));
	if (!failed)
		check(&request);
	request_free(&request);
	fuzz_free_frame(&frame);
	return 0;
}
