/* The name of a blob: BLAKE3-256 of its content as 64 lower-case hex characters, and its size. */
#ifndef TERMITE_DIGEST_H
#define TERMITE_DIGEST_H

#include "bytes.h"

#include <stdint.h>

#define DIGEST_HASH_LENGTH 64

struct digest {
	struct bytes hash;
	uint64_t size; /* bytes */
};

/*
 * Whether the hash is spelt as a hash must be. Ask before a hash becomes part of a path: bytes from elsewhere
 * could hold slashes and dots.
 */
static inline bool digest_is_valid(struct digest digest)
{
	if (digest.hash.length != DIGEST_HASH_LENGTH)
		return false;
	for (size_t i = 0; i < DIGEST_HASH_LENGTH; i++) {
		unsigned char c = digest.hash.data[i];
		if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f'))
			return false;
	}
	return true;
}

#endif
