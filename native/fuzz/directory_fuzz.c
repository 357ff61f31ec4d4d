/* Directory blobs. */
#include "fuzz.h"

#include "directory.h"
#include "path.h"

#include <errno.h>
#include <sys/stat.h>

static void check(const struct directory *directory)
{
	REQUIRE(directory->count == directory->file_count + directory->directory_count + directory->link_count);
	for (size_t i = 0; i < directory->count; i++) {
		const struct directory_entry *entry = &directory->entries[i];
		REQUIRE(path_is_name((const char *)entry->name.data, entry->name.length));
		REQUIRE(directory_find(directory, entry->name) == entry);
		REQUIRE(entry->digest.hash.length == 0 || digest_is_valid(entry->digest));
		REQUIRE(entry->mtime.tv_nsec >= 0 && entry->mtime.tv_nsec < 1000000000);
		REQUIRE(S_ISLNK(entry->mode) == (entry->target.length > 0));
	}
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct bytes blob = { data, size };
	AUTO_DIRECTORY struct directory directory;
	int failed = directory_parse(&directory, blob);
	REQUIRE(failed == 0 || failed == -EBADMSG);
	REQUIRE(failed == 0 || (directory.entries == NULL && directory.count == 0));
	check(&directory);
	REQUIRE(directory_find(&directory, (struct bytes){ NULL, 0 }) == NULL);
	return 0;
}
