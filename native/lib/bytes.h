/* A stretch of memory that somebody else owns: not terminated, may hold any byte. */
#ifndef TERMITE_BYTES_H
#define TERMITE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct bytes {
	const unsigned char *data; /* may be NULL only when length is 0 */
	size_t length;
};

/* The bytes of a string without its terminating NUL; they live as long as the string. */
static inline struct bytes bytes_of(const char *string)
{
	return (struct bytes){ (const unsigned char *)string, strlen(string) };
}

static inline bool bytes_equal(struct bytes a, struct bytes b)
{
	return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

/* Below, equal or above 0 as a sorts before, with or after b: by unsigned byte, a prefix first. */
static inline int bytes_compare(struct bytes a, struct bytes b)
{
	size_t shared = a.length < b.length ? a.length : b.length;
	int order = shared == 0 ? 0 : memcmp(a.data, b.data, shared);
	if (order != 0)
		return order;
	return (a.length > b.length) - (a.length < b.length);
}

static inline bool bytes_contain(struct bytes haystack, unsigned char byte)
{
	return haystack.length != 0 && memchr(haystack.data, byte, haystack.length) != NULL;
}

/*
 * A malloc'ed, NUL-terminated copy for system calls. NULL when out of memory, and also when the bytes hold a NUL
 * themselves: such a name cannot exist, and cutting it short would name something else.
 */
static inline char *bytes_to_string(struct bytes bytes)
{
	if (bytes_contain(bytes, 0))
		return NULL;
	char *string = malloc(bytes.length + 1);
	if (string == NULL)
		return NULL;
	if (bytes.length != 0)
		memcpy(string, bytes.data, bytes.length);
	string[bytes.length] = 0;
	return string;
}

/* AUTO_FREE: the variable's malloc'ed memory is freed when it goes out of scope. For clang that alone is no use of it. */
static inline void bytes_auto_free(void *pointer)
{
	free(*(void **)pointer);
}
#define AUTO_FREE __attribute__((cleanup(bytes_auto_free), unused))

#endif
