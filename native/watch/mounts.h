/* Whether file systems were mounted or unmounted. Source: proc_pid_mountinfo(5), poll(2). */
#ifndef TERMITE_MOUNTS_H
#define TERMITE_MOUNTS_H

#include <stdbool.h>

/* A descriptor, or -errno. */
int mounts_open(void);

/* Whether the mount table of our namespace was changed since the last call, or since mounts_open(). */
bool mounts_have_changed(int fd);

#endif
