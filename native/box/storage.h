/*
 * Where a job's files are while it runs, its output and the writable layer of its project: in the scratch file system
 * of its sandbox, a tmpfs, as long as that takes little memory; else on disk. Each job makes and removes some twenty
 * inodes, most of them by overlayfs: dear on disk, whereas a tmpfs is just dropped.
 */
#ifndef TERMITE_STORAGE_H
#define TERMITE_STORAGE_H

#include "box.h"
#include "request.h"

struct storage {
	int scratch;           /* the scratch file system, attached nowhere until the sandbox has it, or -1 */
	int directory;         /* the job directory, or -1 */
	uint64_t memory_bytes; /* what the scratch file system may take; 0: the job directory is on disk */
};

/* Whether overlayfs can keep its marks in a tmpfs: without privileges since Linux 6.6. */
bool storage_fits_memory(bool is_rootful);

/*
 * Makes the scratch file system, the job directory, and the directories for overlayfs in it; those of the upper layer
 * belong to uid and gid. What is on disk is noted in the ledger. 0 or -errno: *call then names what failed. End with
 * storage_free() in any case.
 */
int storage_make(struct storage *storage, const struct box *box, struct ledger_line *line,
		 const struct job_request *request, uid_t uid, gid_t gid, const char **call);

/* Whether it takes more memory than it may. */
bool storage_is_outgrown(const struct storage *storage);

/* By what path the executor finds the job directory as long as we live. malloc'ed; NULL: no memory. */
char *storage_path(const struct storage *storage, const struct job_request *request);

/* Removes the job directory. */
void storage_free(struct storage *storage, struct ledger_line *line);

#endif
