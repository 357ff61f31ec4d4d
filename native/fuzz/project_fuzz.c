/* The mirror of a project: JOB, then what executor and kernel send, in any order (see fake.h). */
#include "fuzz.h"

#include "../box/request.h"
#include "../mirror/project.h"
#include "fake.h"
#include "wire.h"

static void converse(struct project *project, struct frame_out *out, struct bytes input)
{
	struct frame frame;
	bool is_over = false;
	while (!is_over && fuzz_take_frame(&input, &frame)) {
		if (frame.type >= EXECUTOR_JOB && frame.type <= EXECUTOR_STDIN)
			is_over = project_handle_frame(project, &frame) != 0;
		else
			fake_fuse(&project->mirror, frame.payload);
		fuzz_free_frame(&frame);
		is_over |= project->mirror.session.fault != 0 || out->error;
		frame_out_sent(out, out->length);
	}
}

static void serve(const struct job_request *request, struct bytes input)
{
	AUTO_FRAME_OUT struct frame_out out = { 0 };
	struct project project;
	int failed = project_init(&project, &(struct project_options){ .root = request->root,
								       .directories = request->directories,
								       .directory_count = request->directory_count,
								       .shown = request->shown,
								       .shown_count = request->shown_count,
								       .allow_passthrough = true,
								       .out = &out });
	uint32_t mode;
	struct timespec mtime;
	REQUIRE(failed == 0);
	(void)project_root(&project, &mode, &mtime);
	converse(&project, &out, input);
	(void)project_has(&project, request->cwd + 1);
	frame_begin(&out, BOX_DONE);
	trace_put(&project.mirror.trace, &out, project.mirror.top, "");
	trace_put(&project.mirror.trace, &out, project.places, "/");
	frame_end(&out);
	project_free(&project);
	fake_end();
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct bytes input = { data, size };
	struct frame job;
	if (!fuzz_take_frame(&input, &job))
		return 0;
	struct job_request request;
	const char *field;
	if (request_parse(&request, job.payload, &field) == 0)
		serve(&request, input);
	request_free(&request);
	fuzz_free_frame(&job);
	return 0;
}
