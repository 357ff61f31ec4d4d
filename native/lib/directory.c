#include "directory.h"

#include "path.h"

#include <errno.h>
#include <sys/stat.h>

/* Proto3 wire types, https://protobuf.dev/programming-guides/encoding/ */
enum { VARINT = 0, FIXED64 = 1, LENGTH_DELIMITED = 2, FIXED32 = 5 };

struct field {
	uint32_t number;
	unsigned type;
	uint64_t value;     /* VARINT */
	struct bytes bytes; /* LENGTH_DELIMITED */
};

static bool take_varint(struct bytes *rest, uint64_t *value)
{
	*value = 0;
	for (unsigned shift = 0; shift < 64; shift += 7) {
		if (rest->length == 0)
			return false;
		unsigned char byte = *rest->data++;
		rest->length--;
		*value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return true;
	}
	return false;
}

static bool skip(struct bytes *rest, uint64_t count)
{
	if (count > rest->length)
		return false;
	rest->data += count;
	rest->length -= (size_t)count;
	return true;
}

/* 1 and the next field, 0 at the end, -EBADMSG. */
static int next_field(struct bytes *rest, struct field *field)
{
	if (rest->length == 0)
		return 0;
	uint64_t key, length;
	if (!take_varint(rest, &key) || key >> 3 == 0 || key >> 3 > UINT32_MAX)
		return -EBADMSG;
	*field = (struct field){ .number = (uint32_t)(key >> 3), .type = key & 7 };
	switch (field->type) {
	case VARINT:
		return take_varint(rest, &field->value) ? 1 : -EBADMSG;
	case FIXED64:
		return skip(rest, 8) ? 1 : -EBADMSG;
	case FIXED32:
		return skip(rest, 4) ? 1 : -EBADMSG;
	case LENGTH_DELIMITED:
		if (!take_varint(rest, &length))
			return -EBADMSG;
		field->bytes = (struct bytes){ rest->data, (size_t)length };
		return skip(rest, length) ? 1 : -EBADMSG;
	default:
		return -EBADMSG;
	}
}

/* Whether this is the known field of that number; one that has the number but another type is skipped as unknown. */
static bool is(const struct field *field, uint32_t number, unsigned type)
{
	return field->number == number && field->type == type;
}

struct properties {
	uint32_t unix_mode;
	bool has_mode, has_mtime, is_partial;
	struct timespec mtime;
	struct file_identity identity;
	enum rights rights;
	bool has_blocks;
	struct disk_usage usage; /* begun with DIRECTORY_USAGE */
};

static int parse_timestamp(struct timespec *time, struct bytes rest)
{
	struct field field;
	int got;
	*time = (struct timespec){ 0 };
	while ((got = next_field(&rest, &field)) > 0) {
		if (is(&field, 1, VARINT))
			time->tv_sec = (time_t)field.value;
		else if (is(&field, 2, VARINT)) {
			if (field.value > 999999999)
				return -EBADMSG;
			time->tv_nsec = (long)field.value;
		}
	}
	return got;
}

static int parse_unix_mode(uint32_t *mode, struct bytes rest)
{
	struct field field;
	int got;
	*mode = 0;
	while ((got = next_field(&rest, &field)) > 0) {
		if (is(&field, 1, VARINT)) {
			if (field.value > UINT32_MAX)
				return -EBADMSG;
			*mode = (uint32_t)field.value;
		}
	}
	return got;
}

static int parse_properties(struct properties *properties, struct bytes rest)
{
	struct field field;
	int got;
	while ((got = next_field(&rest, &field)) > 0) {
		int failed = 0;
		if (is(&field, 2, LENGTH_DELIMITED)) {
			properties->has_mtime = true;
			failed = parse_timestamp(&properties->mtime, field.bytes);
		} else if (is(&field, 3, LENGTH_DELIMITED)) {
			properties->has_mode = true;
			failed = parse_unix_mode(&properties->unix_mode, field.bytes);
		} else if (is(&field, 16, VARINT)) {
			properties->identity.inode = field.value;
		} else if (is(&field, 17, LENGTH_DELIMITED)) {
			failed = parse_timestamp(&properties->identity.ctime, field.bytes);
		} else if (is(&field, 18, VARINT)) {
			properties->identity.link_count = (uint32_t)field.value;
		} else if (is(&field, 19, VARINT)) {
			if (field.value != RIGHTS_GROUP && field.value != RIGHTS_OTHER)
				return -EBADMSG;
			properties->rights = (enum rights)field.value;
		} else if (is(&field, 20, VARINT)) {
			properties->has_blocks = true;
			properties->usage.blocks = field.value;
		} else if (is(&field, 21, VARINT)) {
			if (field.value > INT64_MAX)
				return -EBADMSG;
			properties->usage.directory_size = field.value;
		} else if (is(&field, 22, VARINT)) {
			properties->is_partial = field.value != 0;
		}
		if (failed)
			return failed;
	}
	return got;
}

static int parse_digest(struct digest *digest, struct bytes rest)
{
	struct field field;
	int got;
	*digest = (struct digest){ 0 };
	while ((got = next_field(&rest, &field)) > 0) {
		if (is(&field, 1, LENGTH_DELIMITED))
			digest->hash = field.bytes;
		else if (is(&field, 2, VARINT))
			digest->size = field.value;
	}
	if (got == 0 && digest->hash.length != 0 && !digest_is_valid(*digest))
		return -EBADMSG;
	/* A size is an int64 in the message and an off_t for the kernel. */
	return digest->size > INT64_MAX ? -EBADMSG : got;
}

static int file_mode(uint32_t *mode, bool is_executable, const struct properties *properties)
{
	*mode = S_IFREG | (is_executable ? 0755 : 0644);
	if (!properties->has_mode)
		return 0;
	uint32_t type = properties->unix_mode & S_IFMT;
	if (type != 0 && type != S_IFREG && type != S_IFIFO && type != S_IFSOCK)
		return -EBADMSG;
	*mode = (type ? type : S_IFREG) | (properties->unix_mode & 07777);
	return 0;
}

/* As many blocks as whole pages take. */
static uint64_t blocks_of(uint64_t size)
{
	return (size / 4096 + (size % 4096 != 0)) * 8;
}

/* FileNode, DirectoryNode or SymlinkNode, as `type` (S_IFREG, S_IFDIR, S_IFLNK) says. */
static int parse_entry(struct directory_entry *entry, uint32_t type, struct bytes rest)
{
	struct properties properties = { .usage = DIRECTORY_USAGE };
	bool is_executable = false;
	struct field field;
	int got;
	while ((got = next_field(&rest, &field)) > 0) {
		int failed = 0;
		if (is(&field, 1, LENGTH_DELIMITED))
			entry->name = field.bytes;
		else if (is(&field, 2, LENGTH_DELIMITED) && type == S_IFLNK)
			entry->target = field.bytes;
		else if (is(&field, 2, LENGTH_DELIMITED))
			failed = parse_digest(&entry->digest, field.bytes);
		else if (is(&field, 16, VARINT) && type == S_IFDIR)
			properties.identity.inode = field.value;
		else if (is(&field, 4, VARINT) && type == S_IFREG)
			is_executable = field.value != 0;
		else if (is(&field, type == S_IFLNK ? 4 : 6, LENGTH_DELIMITED) && type != S_IFDIR)
			failed = parse_properties(&properties, field.bytes);
		if (failed)
			return failed;
	}
	if (got < 0)
		return got;
	if (!path_is_name((const char *)entry->name.data, entry->name.length))
		return -EBADMSG;
	if (type == S_IFLNK && (entry->target.length == 0 || bytes_contain(entry->target, 0)))
		return -EBADMSG;
	entry->has_mtime = properties.has_mtime;
	entry->mtime = properties.mtime;
	entry->identity = properties.identity;
	entry->rights = properties.rights;
	entry->usage = properties.usage;
	if (!properties.has_blocks && type != S_IFDIR)
		entry->usage.blocks = blocks_of(type == S_IFLNK ? 0 : entry->digest.size);
	if (type == S_IFREG)
		return file_mode(&entry->mode, is_executable, &properties);
	entry->mode = type | (type == S_IFLNK ? 0777 : 0755);
	return 0;
}

/* Counts entries by kind, so that they can go into one array. */
static int count_entries(struct directory *directory, struct bytes rest)
{
	struct field field;
	int got;
	while ((got = next_field(&rest, &field)) > 0) {
		directory->file_count += is(&field, 1, LENGTH_DELIMITED);
		directory->directory_count += is(&field, 2, LENGTH_DELIMITED);
		directory->link_count += is(&field, 3, LENGTH_DELIMITED);
	}
	directory->count = directory->file_count + directory->directory_count + directory->link_count;
	return got;
}

static int parse_fields(struct directory *directory, struct bytes rest)
{
	/* Places, not pointers: of an empty directory there are no entries to point to. */
	struct directory_entry *entries = directory->entries;
	size_t file = 0, child = directory->file_count, link = child + directory->directory_count;
	struct properties properties = { .usage = DIRECTORY_USAGE };
	struct field field;
	int got;
	while ((got = next_field(&rest, &field)) > 0) {
		int failed = 0;
		if (is(&field, 1, LENGTH_DELIMITED))
			failed = parse_entry(&entries[file++], S_IFREG, field.bytes);
		else if (is(&field, 2, LENGTH_DELIMITED))
			failed = parse_entry(&entries[child++], S_IFDIR, field.bytes);
		else if (is(&field, 3, LENGTH_DELIMITED))
			failed = parse_entry(&entries[link++], S_IFLNK, field.bytes);
		else if (is(&field, 5, LENGTH_DELIMITED))
			failed = parse_properties(&properties, field.bytes);
		if (failed)
			return failed;
	}
	directory->mode = S_IFDIR | (properties.has_mode ? properties.unix_mode & 07777 : 0755);
	directory->has_mtime = properties.has_mtime;
	directory->identity = properties.identity;
	directory->mtime = properties.mtime;
	directory->rights = properties.rights;
	directory->usage = properties.usage;
	directory->is_partial = properties.is_partial;
	return got;
}

/* Walks the three sorted lists side by side: each name must come after the one before, whichever list it is in. */
static int check_names(const struct directory *directory)
{
	const struct directory_entry *entries = directory->entries;
	const size_t children = directory->file_count, links = children + directory->directory_count;
	size_t at[] = { 0, children, links };
	const size_t end[] = { children, links, directory->count };

	const struct directory_entry *last = NULL;
	for (size_t i = 0; i < directory->count; i++) {
		int least = -1;
		for (int list = 0; list < 3; list++) {
			if (at[list] < end[list] &&
			    (least < 0 || bytes_compare(entries[at[list]].name, entries[at[least]].name) < 0))
				least = list;
		}
		const struct directory_entry *next = &entries[at[least]++];
		if (last != NULL && bytes_compare(last->name, next->name) >= 0)
			return -EBADMSG;
		last = next;
	}
	return 0;
}

int directory_parse(struct directory *directory, struct bytes blob)
{
	*directory = (struct directory){ 0 };
	int failed = count_entries(directory, blob);
	if (!failed && directory->count > 0) {
		directory->entries = calloc(directory->count, sizeof *directory->entries);
		if (directory->entries == NULL)
			failed = -ENOMEM;
	}
	if (!failed)
		failed = parse_fields(directory, blob);
	if (!failed)
		failed = check_names(directory);
	if (failed)
		directory_free(directory);
	return failed;
}

void directory_free(struct directory *directory)
{
	free(directory->entries);
	*directory = (struct directory){ 0 };
}

const struct directory_entry *directory_find(const struct directory *directory, struct bytes name)
{
	const struct directory_entry *entries = directory->entries;
	const size_t counts[] = { directory->file_count, directory->directory_count, directory->link_count };
	for (size_t kind = 0, begin = 0; kind < 3; begin += counts[kind++]) {
		size_t low = begin, high = begin + counts[kind];
		while (low < high) {
			size_t middle = low + (high - low) / 2;
			int order = bytes_compare(name, entries[middle].name);
			if (order == 0)
				return &entries[middle];
			if (order < 0)
				high = middle;
			else
				low = middle + 1;
		}
	}
	return NULL;
}
