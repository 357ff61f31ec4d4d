#include "places.h"

#include "path.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const struct shown_directory places[] = {
	{ "/tmp", 01777 },
	{ "/var/tmp", 01777 },
	{ "/run", 0755 },
	{ "/dev/shm", 01777 },
};
#define PLACE_COUNT (sizeof places / sizeof *places)

bool places_contain(const char *path)
{
	for (size_t i = 0; i < PLACE_COUNT; i++) {
		if (path_is_inside(path, places[i].path))
			return true;
	}
	return false;
}

bool places_lead_through(const char *path)
{
	for (size_t i = 0; i < PLACE_COUNT; i++) {
		if (path_is_inside(places[i].path, path))
			return true;
	}
	return false;
}

struct tree {
	struct mirror *mirror;
	const struct shown_directory *shown;
	size_t count;
};

/* The index-th directory of all: the places, then those that are shown. NULL for one that is in no place. */
static const struct shown_directory *directory_at(const struct tree *tree, size_t index)
{
	if (index < PLACE_COUNT)
		return &places[index];
	const struct shown_directory *directory = &tree->shown[index - PLACE_COUNT];
	return places_contain(directory->path) ? directory : NULL;
}

static int compare_entries(const void *a, const void *b)
{
	const struct directory_entry *x = a, *y = b;
	return bytes_compare(x->name, y->name);
}

static bool has_entry(const struct directory *listing, struct bytes name)
{
	for (size_t i = 0; i < listing->count; i++) {
		if (bytes_equal(listing->entries[i].name, name))
			return true;
	}
	return false;
}

/* Makes the node the directory `path`, with all that is below it. */
static int build(const struct tree *tree, struct node *node, const char *path)
{
	size_t total = PLACE_COUNT + tree->count;
	struct directory listing = {
		.mode = S_IFDIR | 0755,
		.usage = DIRECTORY_USAGE,
		.entries = calloc(total, sizeof *listing.entries),
	};
	if (listing.entries == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < total; i++) {
		const struct shown_directory *directory = directory_at(tree, i);
		const char *below = directory ? path_below(directory->path, path) : NULL;
		if (below == NULL)
			continue;
		if (*below == 0) {
			listing.mode = S_IFDIR | directory->mode;
			continue;
		}
		struct bytes name = { (const unsigned char *)below, strcspn(below, "/") };
		if (!has_entry(&listing, name))
			listing.entries[listing.count++] = (struct directory_entry){ .name = name, .mode = S_IFDIR | 0755 };
	}
	listing.directory_count = listing.count;
	qsort(listing.entries, listing.count, sizeof *listing.entries, compare_entries);
	node_set_listing(node, &listing, NULL);
	for (size_t i = 0; i < node->listing.count; i++) {
		const struct directory_entry *entry = &node->listing.entries[i];
		struct node *child = node_child(&tree->mirror->nodes, node, entry->name, entry);
		AUTO_FREE char *name = bytes_to_string(entry->name);
		AUTO_FREE char *below = name ? path_join(path, name) : NULL;
		int failed = child == NULL || below == NULL ? -ENOMEM : build(tree, child, below);
		if (failed)
			return failed;
	}
	return 0;
}

int places_make(struct mirror *mirror, struct node *top, const struct shown_directory *shown, size_t count)
{
	top->is_place = true;
	return build(&(struct tree){ mirror, shown, count }, top, "/");
}
