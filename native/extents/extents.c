#include "extents.h"

#include <unistd.h>

/* Where data begins from an offset on; -ENXIO: nowhere. */
static off_t data_from(int fd, off_t offset)
{
	off_t found = lseek(fd, offset, SEEK_DATA);
	return found < 0 ? -errno : found;
}

int extents_of(int fd, off_t least, extent_taker *take, void *to)
{
	off_t start = data_from(fd, 0);
	while (start >= 0) {
		off_t end = start, next;
		do {
			end = lseek(fd, end, SEEK_HOLE);
			if (end < 0)
				return -errno;
			next = data_from(fd, end);
			if (next >= 0 && next - end < least)
				end = next;
		} while (next >= 0 && next == end);
		if (!take(to, start, end))
			return -EIO;
		start = next;
	}
	return start == -ENXIO ? 0 : (int)start;
}
