#include "id_map.h"

#include "fd.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static int write_file(const char *path, const char *text)
{
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	/* One write(2): the kernel takes a map whole or not at all. */
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

int id_map(unsigned inside_uid, unsigned outside_uid, unsigned inside_gid, unsigned outside_gid, const char **path)
{
	char uid_map[40], gid_map[40];
	snprintf(uid_map, sizeof uid_map, "%u %u 1\n", inside_uid, outside_uid);
	snprintf(gid_map, sizeof gid_map, "%u %u 1\n", inside_gid, outside_gid);
	/* In this order: without privileges outside, groups can be mapped only after setgroups(2) was given up. */
	const char *const writes[][2] = {
		{ "/proc/self/setgroups", "deny" },
		{ "/proc/self/uid_map", uid_map },
		{ "/proc/self/gid_map", gid_map },
	};
	for (size_t i = 0; i < sizeof writes / sizeof *writes; i++) {
		*path = writes[i][0];
		int failed = write_file(writes[i][0], writes[i][1]);
		if (failed)
			return failed;
	}
	return 0;
}
