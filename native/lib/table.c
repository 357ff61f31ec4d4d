#include "table.h"

#include <errno.h>

/* The finalizer of MurmurHash3 (public domain, Austin Appleby): every bit of the number reaches every bit. */
uint64_t table_hash_number(uint64_t number)
{
	number ^= number >> 33;
	number *= 0xff51afd7ed558ccdULL;
	number ^= number >> 33;
	number *= 0xc4ceb9fe1a85ec53ULL;
	return number ^ number >> 33;
}

/* FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/ */
uint64_t table_hash(struct bytes bytes, uint64_t seed)
{
	uint64_t hash = 0xcbf29ce484222325ULL ^ seed;
	for (size_t i = 0; i < bytes.length; i++)
		hash = (hash ^ bytes.data[i]) * 0x100000001b3ULL;
	return table_hash_number(hash);
}

static size_t home_of(const struct table *table, uint64_t hash)
{
	return (size_t)hash & (table->capacity - 1);
}

/* The slot of the item, or the free one where the search ended. There is always a free one. */
static struct table_slot *slot_of(const struct table *table, uint64_t hash, table_match *match, const void *key)
{
	size_t at = home_of(table, hash);
	while (table->slots[at].item != NULL) {
		if (table->slots[at].hash == hash && match(table->slots[at].item, key))
			break;
		at = (at + 1) & (table->capacity - 1);
	}
	return &table->slots[at];
}

static void place(struct table *table, struct table_slot slot)
{
	size_t at = home_of(table, slot.hash);
	while (table->slots[at].item != NULL)
		at = (at + 1) & (table->capacity - 1);
	table->slots[at] = slot;
}

void *table_find(const struct table *table, uint64_t hash, table_match *match, const void *key)
{
	return table->count == 0 ? NULL : slot_of(table, hash, match, key)->item;
}

int table_add(struct table *table, uint64_t hash, void *item)
{
	if (table->count >= table->capacity / 4 * 3) {
		struct table bigger = { .capacity = table->capacity ? table->capacity * 2 : 16, .count = table->count };
		bigger.slots = calloc(bigger.capacity, sizeof *bigger.slots);
		if (bigger.slots == NULL)
			return -ENOMEM;
		for (size_t i = 0; i < table->capacity; i++) {
			if (table->slots[i].item != NULL)
				place(&bigger, table->slots[i]);
		}
		free(table->slots);
		*table = bigger;
	}
	place(table, (struct table_slot){ hash, item });
	table->count++;
	return 0;
}

void *table_remove(struct table *table, uint64_t hash, table_match *match, const void *key)
{
	if (table->count == 0)
		return NULL;
	struct table_slot *slot = slot_of(table, hash, match, key);
	void *item = slot->item;
	if (item == NULL)
		return NULL;
	/* What was pushed past the slot moves back, so that no search ends early at the hole. */
	const size_t mask = table->capacity - 1;
	size_t hole = (size_t)(slot - table->slots);
	for (size_t at = (hole + 1) & mask; table->slots[at].item != NULL; at = (at + 1) & mask) {
		size_t home = home_of(table, table->slots[at].hash);
		if (((at - home) & mask) >= ((at - hole) & mask)) {
			table->slots[hole] = table->slots[at];
			hole = at;
		}
	}
	table->slots[hole].item = NULL;
	table->count--;
	return item;
}

void table_free(struct table *table)
{
	free(table->slots);
	*table = (struct table){ 0 };
}
