/*
 * A hash table of items that somebody else owns, keyed by whatever the caller compares. Pure; open addressing.
 *
 *     struct table names = { 0 };
 *     uint64_t hash = table_hash(name, 0);
 *     if (table_find(&names, hash, has_name, &name) == NULL)
 *             failed = table_add(&names, hash, item);
 */
#ifndef TERMITE_TABLE_H
#define TERMITE_TABLE_H

#include "bytes.h"

#include <stdint.h>

struct table_slot {
	uint64_t hash;
	void *item; /* NULL: the slot is free */
};

struct table {
	struct table_slot *slots; /* to visit all items, go over slots[0..capacity) */
	size_t capacity, count;
};

/* Whether the item has the key. */
typedef bool table_match(const void *item, const void *key);

/* Of bytes, and of a number; the seed makes hashes of different things differ. */
uint64_t table_hash(struct bytes bytes, uint64_t seed);
uint64_t table_hash_number(uint64_t number);

/* NULL when there is none. */
void *table_find(const struct table *table, uint64_t hash, table_match *match, const void *key);
/* Without looking whether an equal one is there. 0 or -ENOMEM. */
int table_add(struct table *table, uint64_t hash, void *item);
/* Takes it out and returns it; NULL when there was none. */
void *table_remove(struct table *table, uint64_t hash, table_match *match, const void *key);
/* Frees the table, not the items. */
void table_free(struct table *table);

#endif
