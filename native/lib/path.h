/* Paths as text. Pure: nothing here looks at the file system, so symbolic links are not followed. */
#ifndef TERMITE_PATH_H
#define TERMITE_PATH_H

#include <stdbool.h>
#include <stddef.h>

/* "dir/name", with one slash between them; just one of them when the other is empty. malloc'ed; NULL: no memory. */
char *path_join(const char *dir, const char *name);

/*
 * Shortens in place: no "//", no ".", no slash at the end; ".." takes the name before it away, which is right only
 * where that name is no symbolic link. "/.." is "/"; a relative path may begin with ".."; nothing left is ".", but "" stays, since there is no room.
 */
void path_clean(char *path);

/* Whether a clean path is the root or lies below it, by whole names: "/a/bc" is not inside "/a/b". */
bool path_is_inside(const char *path, const char *root);

/* The rest of a clean path below the root, pointing into it: "" for the root itself, NULL when it is not inside. */
const char *path_below(const char *path, const char *root);

/* Whether this can be the name of an entry: not empty, "." or "..", and without slash or NUL. */
bool path_is_name(const char *name, size_t length);

#endif
