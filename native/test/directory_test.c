#include "directory.h"
#include "json.h"
#include "tap.h"

#include <errno.h>
#include <sys/stat.h>

static bool is_hex(struct bytes bytes, const struct json *hex)
{
	struct bytes wanted = json_hex(hex);
	bool same = bytes_equal(bytes, wanted);
	golden_free(wanted);
	return same;
}

static bool is_time(bool has_mtime, struct timespec mtime, const struct json *wanted)
{
	if (wanted->kind == JSON_NULL)
		return !has_mtime;
	return has_mtime && mtime.tv_sec == strtoll(json_get(wanted, "seconds")->string, NULL, 10) &&
	       mtime.tv_nsec == (long)json_get(wanted, "nanos")->number;
}

static bool is_digest(struct digest digest, const struct json *wanted)
{
	if (wanted->kind == JSON_NULL)
		return digest.hash.length == 0 && digest.size == 0;
	return bytes_equal(digest.hash, bytes_of(json_get(wanted, "hash")->string)) &&
	       digest.size == strtoull(json_get(wanted, "sizeBytes")->string, NULL, 10);
}

static uint32_t mode_of_file(const struct json *file)
{
	const struct json *unix_mode = json_get(file, "unixMode");
	if (unix_mode->kind == JSON_NULL)
		return S_IFREG | (json_get(file, "isExecutable")->number ? 0755 : 0644);
	uint32_t mode = (uint32_t)unix_mode->number;
	return mode & S_IFMT ? mode : S_IFREG | mode;
}

static bool is_content(const struct directory *directory, const struct json *content)
{
	const struct json *files = json_get(content, "files"), *children = json_get(content, "directories"),
			  *links = json_get(content, "symlinks");
	if (directory->file_count != files->count || directory->directory_count != children->count ||
	    directory->link_count != links->count)
		return false;

	const struct directory_entry *entry = directory->entries;
	bool same = true;
	for (size_t i = 0; i < files->count; i++, entry++) {
		same &= is_hex(entry->name, json_get(&files->items[i], "name"));
		same &= is_digest(entry->digest, json_get(&files->items[i], "digest"));
		same &= is_time(entry->has_mtime, entry->mtime, json_get(&files->items[i], "mtime"));
		same &= entry->mode == mode_of_file(&files->items[i]);
		same &= directory_find(directory, entry->name) == entry;
	}
	for (size_t i = 0; i < children->count; i++, entry++) {
		same &= is_hex(entry->name, json_get(&children->items[i], "name"));
		same &= is_digest(entry->digest, json_get(&children->items[i], "digest"));
		same &= entry->mode == (S_IFDIR | 0755);
		same &= directory_find(directory, entry->name) == entry;
	}
	for (size_t i = 0; i < links->count; i++, entry++) {
		same &= is_hex(entry->name, json_get(&links->items[i], "name"));
		same &= is_hex(entry->target, json_get(&links->items[i], "target"));
		same &= is_time(entry->has_mtime, entry->mtime, json_get(&links->items[i], "mtime"));
		same &= entry->mode == (S_IFLNK | 0777);
		same &= directory_find(directory, entry->name) == entry;
	}
	const struct json *unix_mode = json_get(content, "unixMode");
	same &= directory->mode == (S_IFDIR | (unix_mode->kind == JSON_NULL ? 0755 : (uint32_t)unix_mode->number));
	same &= is_time(directory->has_mtime, directory->mtime, json_get(content, "mtime"));
	return same;
}

static void test_golden(const struct json *description)
{
	const char *name = json_get(description, "name")->string;
	const struct json *content = json_get(description, "content");
	struct bytes blob = golden_read(json_get(description, "file")->string);
	AUTO_DIRECTORY struct directory directory;
	int failed = directory_parse(&directory, blob);
	if (content->kind == JSON_NULL)
		tap_ok(failed == -EBADMSG && directory.entries == NULL, "directory_parse() refuses: %s", name);
	else
		tap_ok(!failed && is_content(&directory, content), "directory_parse() reads: %s", name);
	golden_free(blob);
}

/* Whatever the bytes, it must end, with memory intact: the sanitizers watch. */
static bool survives(const unsigned char *bytes, size_t length)
{
	/* A copy of exactly that length, so that every read beyond it is seen. */
	unsigned char *copy = malloc(length);
	if (length > 0)
		memcpy(copy, bytes, length);
	struct directory directory;
	int failed = directory_parse(&directory, (struct bytes){ copy, length });
	directory_free(&directory);
	free(copy);
	return failed == 0 || failed == -EBADMSG;
}

static void test_damage(const struct json *description)
{
	struct bytes blob = golden_read(json_get(description, "file")->string);
	unsigned char *bytes = (unsigned char *)(uintptr_t)blob.data;
	bool right = true;
	for (size_t length = 0; length <= blob.length; length++)
		right &= survives(bytes, length);
	for (size_t at = 0; at < blob.length; at++) {
		for (unsigned value = 0; value <= 0xff; value += 3) {
			unsigned char saved = bytes[at];
			bytes[at] = (unsigned char)value;
			right &= survives(bytes, blob.length);
			bytes[at] = saved;
		}
	}
	tap_ok(right, "directory_parse() survives damage to: %s", json_get(description, "name")->string);
	golden_free(blob);
}

static void test_noise(void)
{
	uint64_t state = 88172645463325252ULL;
	bool right = true;
	for (int round = 0; round < 200000; round++) {
		unsigned char noise[48];
		for (size_t i = 0; i < sizeof noise; i++) {
			state ^= state << 13;
			state ^= state >> 7;
			state ^= state << 17;
			/* Small numbers, so that many of them are fields and lengths. */
			noise[i] = (unsigned char)(state >> 32) & (i % 3 ? 0x1f : 0xff);
		}
		right &= survives(noise, sizeof noise);
	}
	tap_ok(right, "directory_parse() survives noise");
}

static void test_find(void)
{
	struct bytes blob = golden_read("directory-full.bin");
	AUTO_DIRECTORY struct directory directory;
	bool parsed = directory_parse(&directory, blob) == 0;
	static const char *const absent[] = { "", "A", "a.", "a.c0", "zz", "Makefil" };
	for (size_t i = 0; i < sizeof absent / sizeof *absent; i++)
		tap_ok(parsed && !directory_find(&directory, bytes_of(absent[i])), "directory_find() finds no \"%s\"",
		       absent[i]);
	golden_free(blob);
}

static void test_partial(void)
{
	static const unsigned char blob[] = { 0x2a, 0x03, 0xb0, 0x01, 0x01 };
	AUTO_DIRECTORY struct directory partial, whole;
	int failed = directory_parse(&partial, (struct bytes){ blob, sizeof blob });
	failed |= directory_parse(&whole, (struct bytes){ blob, 0 });
	tap_ok(!failed && partial.is_partial && !whole.is_partial, "directory_parse() tells that there is more");
}

int main(void)
{
	struct json all = golden_describe("directories.json");
	for (size_t i = 0; i < all.count; i++) {
		test_golden(&all.items[i]);
		test_damage(&all.items[i]);
	}
	json_free(&all);
	test_noise();
	test_find();
	test_partial();
	return tap_done();
}
