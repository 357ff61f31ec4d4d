/* SHA-256, of what is short: all of it in memory. Pure. Source: FIPS 180-4. */
#ifndef TERMITE_SHA256_H
#define TERMITE_SHA256_H

#include "bytes.h"

#define SHA256_LENGTH 32

void sha256(struct bytes message, unsigned char hash[SHA256_LENGTH]);

#endif
