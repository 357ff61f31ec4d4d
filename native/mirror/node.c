#include "node.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

/* FNV-1a over the name, begun with the parent. */
static size_t hash_of(const struct node *parent, struct bytes name)
{
	uint64_t hash = 0xcbf29ce484222325u ^ (parent->id * 0x9e3779b97f4a7c15u);
	for (size_t i = 0; i < name.length; i++)
		hash = (hash ^ name.data[i]) * 0x100000001b3u;
	return (size_t)(hash ^ (hash >> 32));
}

static int add(struct node_table *table, struct node *node)
{
	if (table->count == table->capacity) {
		size_t capacity = table->capacity ? table->capacity * 2 : 256;
		struct node **grown = realloc(table->by_id, capacity * sizeof(struct node *));
		if (grown == NULL)
			return -ENOMEM;
		table->by_id = grown;
		table->capacity = capacity;
	}
	table->by_id[table->count++] = node;
	node->id = table->count;
	return 0;
}

static struct node *new_node(struct node_table *table)
{
	struct node *node = calloc(1, sizeof *node);
	if (node == NULL)
		return NULL;
	node->fd = -1;
	if (add(table, node) < 0) {
		free(node);
		return NULL;
	}
	return node;
}

int node_table_init(struct node_table *table)
{
	*table = (struct node_table){ .bucket_count = 256 };
	table->buckets = calloc(table->bucket_count, sizeof(struct node *));
	struct node *root = table->buckets ? new_node(table) : NULL;
	if (root == NULL) {
		node_table_free(table);
		return -ENOMEM;
	}
	root->mode = S_IFDIR | 0755;
	root->usage = DIRECTORY_USAGE;
	return 0;
}

void node_drop_original(struct node *node)
{
	if (node->original != NULL)
		free(node->original->path);
	free(node->original);
	node->original = NULL;
}

void node_table_free(struct node_table *table)
{
	for (size_t i = 0; i < table->count; i++) {
		struct node *node = table->by_id[i];
		directory_free(&node->listing);
		free(node->blob);
		free(node->owned_hash);
		node_drop_original(node);
		if (node->is_absent)
			free((void *)(uintptr_t)node->name.data);
		free(node);
	}
	free(table->by_id);
	free(table->buckets);
	*table = (struct node_table){ 0 };
}

struct node *node_root(const struct node_table *table)
{
	return table->by_id[0];
}

struct node *node_get(const struct node_table *table, uint64_t id)
{
	return id >= 1 && id <= table->count ? table->by_id[id - 1] : NULL;
}

static void grow_buckets(struct node_table *table)
{
	size_t count = table->bucket_count * 4;
	struct node **buckets = calloc(count, sizeof(struct node *));
	if (buckets == NULL)
		return; /* longer chains are only slower */
	for (size_t i = 1; i < table->count; i++) {
		struct node *node = table->by_id[i];
		struct node **bucket = &buckets[hash_of(node->parent, node->name) & (count - 1)];
		node->next = *bucket;
		*bucket = node;
	}
	free(table->buckets);
	table->buckets = buckets;
	table->bucket_count = count;
}

/* An absent name is nowhere in the listing that the node could point into. */
static int own_name(struct node *node, struct bytes name)
{
	unsigned char *copy = malloc(name.length + 1);
	if (copy == NULL)
		return -ENOMEM;
	memcpy(copy, name.data, name.length);
	copy[name.length] = 0;
	node->name = (struct bytes){ copy, name.length };
	node->is_absent = true;
	return 0;
}

struct node *node_find(const struct node_table *table, const struct node *parent, struct bytes name)
{
	size_t hash = hash_of(parent, name);
	struct node *node = table->buckets[hash & (table->bucket_count - 1)];
	while (node != NULL && (node->parent != parent || !bytes_equal(node->name, name)))
		node = node->next;
	return node;
}

struct node *node_child(struct node_table *table, struct node *parent, struct bytes name,
			const struct directory_entry *entry)
{
	struct node *node = node_find(table, parent, name);
	if (node != NULL)
		return node;
	if (table->count > table->bucket_count)
		grow_buckets(table);

	node = new_node(table);
	if (node == NULL)
		return NULL;
	node->parent = parent;
	node->is_place = parent->is_place;
	if (entry != NULL) {
		node->name = entry->name;
		node->mode = entry->mode;
		node->digest = entry->digest;
		node->target = entry->target;
		node->mtime = entry->mtime;
		node->identity = entry->identity;
		node->rights = entry->rights;
		node->usage = entry->usage;
	} else if (own_name(node, name) < 0) {
		table->count--;
		free(node);
		return NULL;
	}
	struct node **bucket = &table->buckets[hash_of(parent, name) & (table->bucket_count - 1)];
	node->next = *bucket;
	*bucket = node;
	return node;
}

/* What the entry tells of a node that stands for its name. What the node has learned itself stays. */
static void set_entry(struct node *node, const struct directory_entry *entry)
{
	if (node->is_absent)
		free((void *)(uintptr_t)node->name.data);
	node->is_absent = false;
	node->name = entry->name;
	node->target = entry->target;
	if (node->owned_hash == NULL)
		node->digest = entry->digest;
	if (node->state != LISTING_UNKNOWN)
		return;
	node->mode = entry->mode;
	node->mtime = entry->mtime;
	node->usage = entry->usage;
}

int node_relist(const struct node_table *table, struct node *directory, struct directory *listing, unsigned char *blob)
{
	/* First what may fail. The name that a node points to goes with the former listing. */
	for (size_t i = 0; i < directory->listing.count; i++) {
		struct bytes name = directory->listing.entries[i].name;
		struct node *child = directory_find(listing, name) ? NULL : node_find(table, directory, name);
		if (child != NULL && !child->is_absent && own_name(child, name) < 0)
			return -ENOMEM;
	}
	for (size_t i = 0; i < listing->count; i++) {
		struct node *child = node_find(table, directory, listing->entries[i].name);
		if (child != NULL)
			set_entry(child, &listing->entries[i]);
	}
	directory_free(&directory->listing);
	free(directory->blob);
	node_set_listing(directory, listing, blob);
	return 0;
}

void node_set_listing(struct node *node, struct directory *listing, unsigned char *blob)
{
	node->listing = *listing;
	*listing = (struct directory){ 0 };
	node->blob = blob;
	node->state = LISTING_KNOWN;
	node->mode = node->listing.mode;
	node->mtime = node->listing.mtime;
	if (node->listing.identity.inode != 0)
		node->identity = node->listing.identity;
	node->rights = node->listing.rights;
	node->usage = node->listing.usage;
}

int node_set_digest(struct node *node, struct digest digest)
{
	unsigned char *copy = malloc(DIGEST_HASH_LENGTH);
	if (copy == NULL)
		return -ENOMEM;
	memcpy(copy, digest.hash.data, DIGEST_HASH_LENGTH);
	free(node->owned_hash);
	node->owned_hash = copy;
	node->digest = (struct digest){ { copy, DIGEST_HASH_LENGTH }, digest.size };
	return 0;
}

int node_set_original(struct node *node, struct original original)
{
	const struct original *known = node->original;
	if (known != NULL) {
		free(original.path);
		bool is_same = known->size == original.size && known->mtime_ns == original.mtime_ns &&
			       known->ctime_ns == original.ctime_ns && known->inode == original.inode;
		return is_same ? 0 : -ESTALE;
	}
	node->original = malloc(sizeof original);
	if (node->original == NULL) {
		free(original.path);
		return -ENOMEM;
	}
	*node->original = original;
	return 0;
}

char *node_path(const struct node *top, const struct node *node)
{
	size_t length = 0;
	for (const struct node *at = node; at != top; at = at->parent)
		length += at->name.length + 1;
	char *path = malloc(length + 1);
	if (path == NULL)
		return NULL;
	size_t end = length > 0 ? length - 1 : 0;
	path[end] = 0;
	for (const struct node *at = node; at != top; at = at->parent) {
		end -= at->name.length;
		memcpy(path + end, at->name.data, at->name.length);
		if (end > 0)
			path[--end] = '/';
	}
	return path;
}
