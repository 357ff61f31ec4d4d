/*
 * Tells where a file holds data, for Node, which cannot ask: "termite-extents DESCRIPTOR LEAST". Prints "OFFSET LENGTH" for each
 * part with data of the file that is open under that number, in order; holes of fewer than LEAST bytes count as data. Moves the
 * position of the descriptor. Exits 1 where it cannot be told.
 */
#include "extents.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool print(void *to, off_t start, off_t end)
{
	return fprintf(to, "%lld %lld\n", (long long)start, (long long)(end - start)) > 0;
}

static long long number(const char *text)
{
	char *end;
	errno = 0;
	long long value = strtoll(text, &end, 10);
	return errno == 0 && *text != 0 && *end == 0 ? value : -1;
}

int main(int argc, char **argv)
{
	long long fd = argc == 3 ? number(argv[1]) : -1;
	long long least = argc == 3 ? number(argv[2]) : -1;
	if (fd < 0 || fd > INT_MAX || least < 1) {
		fprintf(stderr, "usage: termite-extents DESCRIPTOR LEAST\n");
		return 2;
	}
	int failed = extents_of((int)fd, least, print, stdout);
	if (failed || fflush(stdout) != 0) {
		fprintf(stderr, "termite-extents: %s\n", strerror(failed ? -failed : errno));
		return 1;
	}
	return 0;
}
