#include "../extents/extents.h"
#include "tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MIB ((off_t)1 << 20)

struct found {
	char text[400];
	int room; /* how many parts it takes */
};

static bool take(void *to, off_t start, off_t end)
{
	struct found *found = to;
	size_t length = strlen(found->text);
	snprintf(found->text + length, sizeof found->text - length, "%lld-%lld ", (long long)(start / 65536),
		 (long long)(end / 65536));
	return found->room-- > 0;
}

static int open_file(off_t size)
{
	char path[] = "/tmp/termite-extents-XXXXXX";
	int fd = mkstemp(path);
	if (fd >= 0)
		unlink(path);
	return fd >= 0 && ftruncate(fd, size) == 0 ? fd : -1;
}

static void put(int fd, off_t offset)
{
	static const char data[65536] = "data";
	if (pwrite(fd, data, sizeof data, offset) != sizeof data)
		perror("pwrite");
}

static const char *extents(struct found *found, int fd, off_t least, int *result)
{
	*found = (struct found){ .room = 10 };
	*result = extents_of(fd, least, take, found);
	return found->text;
}

int main(void)
{
	struct found found;
	int result;
	int fd = open_file(0);
	tap_ok(strcmp(extents(&found, fd, 1, &result), "") == 0 && result == 0, "extents_of() an empty file: none");
	tap_ok(ftruncate(fd, 100 * MIB) == 0 && strcmp(extents(&found, fd, 1, &result), "") == 0 && result == 0,
	   "extents_of() a hole: none");
	put(fd, 0);
	put(fd, 10 * MIB);
	put(fd, 10 * MIB + 2 * 65536);
	put(fd, 100 * MIB - 65536);
	tap_ok(strcmp(extents(&found, fd, 1, &result), "0-1 160-161 162-163 1599-1600 ") == 0 && result == 0,
	   "extents_of() gives parts in order, the last one to the end");
	tap_ok(strcmp(extents(&found, fd, MIB, &result), "0-1 160-163 1599-1600 ") == 0 && result == 0,
	   "extents_of() takes a small hole for data");
	tap_ok(strcmp(extents(&found, fd, 200 * MIB, &result), "0-1600 ") == 0 && result == 0, "extents_of() takes all holes for small ones");
	found = (struct found){ .room = 1 };
	tap_ok(extents_of(fd, 1, take, &found) == -EIO, "extents_of() ends when no more is taken");
	close(fd);
	tap_ok(extents_of(fd, 1, take, &found) == -EBADF, "extents_of() a descriptor that is not open: -EBADF");
	return tap_done();
}
