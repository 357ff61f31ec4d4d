/*
 * One level of a tree: REAPI v2 `Directory` messages (remote_execution.proto of bazelbuild/remote-apis) as blobs.
 * Pure: the result points into the blob, which must outlive it. Blobs are taken as hostile: whatever the bytes, parsing
 * ends with a result or with -EBADMSG. Unknown fields are skipped.
 */
#ifndef TERMITE_DIRECTORY_H
#define TERMITE_DIRECTORY_H

#include "bytes.h"
#include "digest.h"

#include <stdint.h>
#include <time.h>

/* What tells one file from another where it comes from; inode 0: not known. See FileIdentity in cas/directory.ts. */
struct file_identity {
	uint64_t inode;
	uint32_t link_count;
	struct timespec ctime;
};

/* What something takes on its disk, in blocks of 512 bytes, and the size of a directory itself. See DiskUsage in cas/directory.ts. */
struct disk_usage {
	uint64_t blocks, directory_size;
};

/* Whose permission bits are the caller's. See Rights in cas/directory.ts, whose numbers these are. */
enum rights { RIGHTS_OWNER = 0, RIGHTS_GROUP = 1, RIGHTS_OTHER = 2 };

struct directory_entry {
	struct bytes name; /* path_is_name() holds */
	/*
	 * st_mode with the type: S_IFREG, S_IFDIR, S_IFLNK, S_IFIFO or S_IFSOCK. Without a unix_mode in the blob 0755 for
	 * directories and executable files, 0644 for others. That of a child directory is not told here but in its own blob.
	 */
	uint32_t mode;
	/* hash empty: content is not known by digest, ask by path; else digest_is_valid(). */
	struct digest digest;
	struct bytes target; /* of a symbolic link */
	bool has_mtime;
	struct timespec mtime;
	struct file_identity identity; /* of a child directory only the inode */
	enum rights rights; /* of a child directory in its own blob */
	struct disk_usage usage; /* likewise */
};

struct directory {
	/* First all files, then all directories, then all links, each sorted by name. */
	struct directory_entry *entries;
	size_t count;
	size_t file_count, directory_count, link_count;
	uint32_t mode; /* of the directory itself, S_IFDIR included; 0755 when the blob does not tell */
	bool has_mtime;
	struct timespec mtime;
	struct file_identity identity;
	enum rights rights;
	struct disk_usage usage;
	bool is_partial; /* there is more in it than is told, see Directory in cas/directory.ts */
};

/* That of a directory of which nothing is told. */
#define DIRECTORY_USAGE ((struct disk_usage){ .blocks = 8, .directory_size = 4096 })

/*
 * 0, or -EBADMSG when the blob is no canonical Directory (cut short, names that cannot be, unsorted, twice the same
 * name, malformed hash, mode of an impossible type), or -ENOMEM; on error the result is empty. Linear in the length.
 */
int directory_parse(struct directory *directory, struct bytes blob);
void directory_free(struct directory *directory);
#define AUTO_DIRECTORY __attribute__((cleanup(directory_free)))

/* The entry of that name, or NULL. Logarithmic. */
const struct directory_entry *directory_find(const struct directory *directory, struct bytes name);

#endif
