#include "table.h"
#include "tap.h"

static bool is_number(const void *item, const void *key)
{
	return *(const uint64_t *)item == *(const uint64_t *)key;
}

/* Against plain arrays: the same items are in, whatever order they come and go. */
static void test_against_array(const char *name, uint64_t hash_mask)
{
	enum { COUNT = 512 };
	static uint64_t numbers[COUNT];
	static bool present[COUNT];
	struct table table = { 0 };
	uint64_t state = 88172645463325252ULL;
	size_t count = 0;
	bool right = true;
	for (size_t i = 0; i < COUNT; i++) {
		numbers[i] = i;
		present[i] = false;
	}
	for (int round = 0; round < 100000; round++) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		size_t i = (state >> 20) % COUNT;
		uint64_t hash = table_hash_number(numbers[i]) & hash_mask;
		void *found = table_find(&table, hash, is_number, &numbers[i]);
		right &= found == (present[i] ? &numbers[i] : NULL);
		if (present[i])
			right &= table_remove(&table, hash, is_number, &numbers[i]) == &numbers[i];
		else
			right &= table_add(&table, hash, &numbers[i]) == 0;
		present[i] = !present[i];
		count += present[i] ? 1 : (size_t)-1;
		right &= table.count == count;
	}
	tap_ok(right, "table_add(), table_find() and table_remove() agree with an array: %s", name);
	table_free(&table);
}

int main(void)
{
	struct table table = { 0 };
	uint64_t number = 1;
	tap_ok(table_find(&table, 1, is_number, &number) == NULL, "table_find() in an empty table is NULL");
	tap_ok(table_remove(&table, 1, is_number, &number) == NULL, "table_remove() from an empty table is NULL");
	test_against_array("good hashes", UINT64_MAX);
	test_against_array("hashes that collide", 7);
	test_against_array("hashes at the end of the table", UINT64_MAX << 4 | 15);
	tap_ok(table_hash(bytes_of("a"), 0) != table_hash(bytes_of("a"), 1), "table_hash() differs by seed");
	tap_ok(table_hash(bytes_of("a"), 0) != table_hash(bytes_of("b"), 0), "table_hash() differs by content");
	return tap_done();
}
