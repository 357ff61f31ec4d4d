/* Where the master of a project is to be found, without being told. */
#ifndef TERMITE_SHELL_PROJECT_H
#define TERMITE_SHELL_PROJECT_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Longest name that the socket of a project has in its state folder, the slash in front included. */
#define PROJECT_SOCKET_MAX 64

/*
 * Writes the path at which the master listens that serves the project with that root, which is the folder with that device and inode.
 * 0, or -ENOENT when nobody can say, since $XDG_CACHE_HOME and $HOME are no absolute paths; -ENAMETOOLONG.
 * Source: runtime/cache-dir.ts and master/socket-path.ts.
 */
int project_socket(char path[PATH_MAX + PROJECT_SOCKET_MAX], const char *root, dev_t device, ino_t inode);

/*
 * Whether we are in a sandbox of ours, where no master is to be found. Even a look for one would count there: as a need of what
 * sandboxes hide.
 */
bool project_is_sandboxed(void);

#endif
