/* The box's own namespaces: nothing it mounts is visible outside, and all of it vanishes with its processes. */
#ifndef TERMITE_NAMESPACE_H
#define TERMITE_NAMESPACE_H

#include "box.h"

/*
 * Enters a mount namespace of our own, within a user namespace of our own when we may not do so otherwise, and sets
 * is_rootful, uid and gid. 0, or -errno after a line on stderr with the way out. Once, with a single thread.
 */
int namespace_enter(struct box *box);

#endif
