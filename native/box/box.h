/* What every process of one box server shares, settled before the first fork. */
#ifndef TERMITE_BOX_H
#define TERMITE_BOX_H

#include "content.h"
#include "ledger.h"

#include <stdbool.h>
#include <sys/types.h>

struct box {
	/*
	 * True: we hold CAP_SYS_ADMIN of the initial user namespace, so overlays use trusted.* attributes and FUSE may
	 * pass reads through. False: all we do is done in a user namespace of our own.
	 */
	bool is_rootful;
	uid_t uid; /* ours: the only one there is when not rootful */
	gid_t gid;
	/*
	 * Whom the files of system mirrors belong to. A job with the same ids outside may write in existing directories
	 * of its home; one with others only in the home directory itself, as overlayfs looks at owners and modes.
	 */
	uid_t owner_uid;
	gid_t owner_gid;
	int store; /* O_PATH */
	const char *template; /* see template.h; absolute */
	bool storage_fits_memory; /* see storage.h */
	struct verified *verified;
	struct ledger *ledger;
};

#endif
