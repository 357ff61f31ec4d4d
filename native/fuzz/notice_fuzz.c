/* What the sandbox's init tells: records in any portions, judged by a project whose root lists a Directory that is the first frame. */
#include "fuzz.h"

#include "../box/noticed.h"
#include "wire.h"

#include <sys/stat.h>

static void judge(struct project *project, struct bytes records)
{
	struct noticed noticed = { 0 };
	/* The first byte says in which portions they come. */
	size_t portion = records.length > 0 ? 1u + records.data[0] : 1;
	bool is_over = false;
	noticed.data = malloc(records.length + 1);
	REQUIRE(noticed.data != NULL);
	for (size_t at = 0; at < records.length && !is_over; at += portion) {
		size_t count = records.length - at < portion ? records.length - at : portion;
		memcpy(noticed.data + noticed.length, records.data + at, count);
		noticed.length += count;
		is_over = noticed_judge(&noticed, project, "/project");
		REQUIRE(noticed.taken <= noticed.length);
	}
	AUTO_FRAME_OUT struct frame_out out = { 0 };
	frame_begin(&out, BOX_DONE);
	noticed_put(&noticed, &out);
	frame_end(&out);
	noticed_free(&noticed);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct bytes input = { data, size };
	struct frame listing;
	struct directory directory;
	if (!fuzz_take_frame(&input, &listing))
		return 0;
	struct project project = { 0 };
	REQUIRE(node_table_init(&project.mirror.nodes) == 0);
	project.mirror.top = node_root(&project.mirror.nodes);
	if (directory_parse(&directory, listing.payload) == 0)
		node_set_listing(project.mirror.top, &directory, NULL);
	judge(&project, input);
	node_table_free(&project.mirror.nodes);
	fuzz_free_frame(&listing);
	return 0;
}
