/*
 * What lies over a shell of the system: our program, behind it the real shell's own bytes, and the name of a folder where
 * the real shell is also to be had by path. A stand-in must find all that in itself. The environment may have been
 * emptied on the way, and the folder may be out of sight, in a sandbox of the build's own or for another user.
 */
#ifndef TERMITE_STAND_IN_IMAGE_H
#define TERMITE_STAND_IN_IMAGE_H

#include <limits.h>

/* Writes a new file, which can be executed by all, at the path. 0 or -errno. */
int image_write(const char *path, const char *program, const char *shell, const char *folder);

/* The folder that the image at the path names. 0, or -errno; -ENOEXEC: this is no image. */
int image_folder(const char *path, char folder[PATH_MAX]);

/* A copy of the real shell in memory: a descriptor to execute, close-on-exec, or -errno. */
int image_load_shell(const char *path);

#endif
