/* The FUSE operations, common to both layers. Source: fuse(4), include/uapi/linux/fuse.h, fs/fuse/ of Linux 6.18. */
#include "mirror.h"

#include "fd.h"
#include "log.h"
#include "wire.h"

#include <fcntl.h>
#include <linux/limits.h>
#include <stdlib.h>
#include <sys/stat.h>

/* Seconds for which the kernel may keep what it was told: for ever, as both layers never change. */
#define EVER ((uint64_t)1 << 40)

typedef int operation(struct mirror *mirror, const struct fuse_request *request, void *answer);

static struct node *node_of(const struct mirror *mirror, const struct fuse_request *request)
{
	struct node *node = node_get(&mirror->nodes, request->header->nodeid);
	return node != NULL && !node->is_absent ? node : NULL;
}

static uint64_t size_of(const struct node *node)
{
	if (S_ISDIR(node->mode))
		return node->usage.directory_size;
	return S_ISLNK(node->mode) ? node->target.length : node->digest.size;
}

static uint64_t inode_of(const struct node *node)
{
	return node->identity.inode != 0 ? node->identity.inode : node->id;
}

/*
 * An owner that is nobody in the job's user namespace, which knows the job's user alone. The kernel lets nobody write where
 * an owner has no name in the namespace of the mount: so of what the caller may write to, he is shown as the owner.
 */
static uint32_t foreign(uint32_t own)
{
	return own == 0 ? 65534 : 0;
}

static void put_attributes(const struct mirror *mirror, const struct node *node, struct fuse_attr *attr)
{
	const struct file_identity *identity = &node->identity;
	const struct timespec *ctime = identity->ctime.tv_sec != 0 ? &identity->ctime : &node->mtime;
	*attr = (struct fuse_attr){
		.ino = inode_of(node),
		.size = size_of(node),
		.blocks = node->usage.blocks,
		.atime = (uint64_t)node->mtime.tv_sec,
		.mtime = (uint64_t)node->mtime.tv_sec,
		.ctime = (uint64_t)ctime->tv_sec,
		.atimensec = (uint32_t)node->mtime.tv_nsec,
		.mtimensec = (uint32_t)node->mtime.tv_nsec,
		.ctimensec = (uint32_t)ctime->tv_nsec,
		.mode = node->mode,
		/* 1 of a directory tells find(1) that it cannot count subdirectories by it. */
		.nlink = identity->link_count != 0 ? identity->link_count : 1,
		.uid = node->rights == RIGHTS_OWNER ? mirror->uid : foreign(mirror->uid),
		.gid = node->rights == RIGHTS_OTHER ? foreign(mirror->gid) : mirror->gid,
		.blksize = 4096,
	};
}

static int init(struct mirror *mirror, const struct fuse_request *request, void *answer)
{
	const struct fuse_init_in *in = request->arguments;
	struct fuse_init_out *out = answer;
	*out = (struct fuse_init_out){ .major = FUSE_KERNEL_VERSION, .minor = KERNEL_MINOR };
	if (request->length < 16 || in->major < FUSE_KERNEL_VERSION)
		return -EPROTO;
	if (in->major > FUSE_KERNEL_VERSION)
		return sizeof *out; /* the kernel asks again with our version */
	if (in->minor < KERNEL_MINOR_LEAST) {
		log_line("mirror: the kernel speaks FUSE 7.%u, needed is 7.%u (Linux 5.4)", in->minor,
			 KERNEL_MINOR_LEAST);
		return -EPROTO;
	}
	uint64_t offered = in->flags;
	if ((offered & FUSE_INIT_EXT) && request->length >= 20)
		offered |= (uint64_t)in->flags2 << 32;

	/*
	 * Not READDIRPLUS: it would hand out attributes that nobody looked at, and the later look-ups of those who do
	 * would not reach the trace.
	 */
	uint64_t wanted = FUSE_ASYNC_READ | FUSE_BIG_WRITES | FUSE_PARALLEL_DIROPS | FUSE_MAX_PAGES |
			  FUSE_CACHE_SYMLINKS | FUSE_NO_OPENDIR_SUPPORT | FUSE_EXPLICIT_INVAL_DATA | FUSE_INIT_EXT;
	if (!mirror->layer->answers_open)
		wanted |= FUSE_NO_OPEN_SUPPORT;
	if (mirror->passthrough_least != UINT64_MAX)
		wanted |= FUSE_PASSTHROUGH;
	wanted &= offered;
	mirror->kernel_knows_passthrough = (wanted & FUSE_PASSTHROUGH) != 0;

	out->max_readahead = FUSE_READ_MAX;
	out->flags = (uint32_t)wanted;
	out->flags2 = (uint32_t)(wanted >> 32);
	out->max_background = 64;
	out->congestion_threshold = 48;
	out->max_write = 4096;
	out->time_gran = 1;
	out->max_pages = FUSE_READ_MAX / 4096;
	/* max_stack_depth: blobs lie on a file system of depth 0, an overlay may be put on top of us. */
	out->unused[0] = mirror->kernel_knows_passthrough ? 1 : 0;
	return sizeof *out;
}

/* The entry of a name in a listed directory: 1 and a node, 0 when absent, -errno. */
static int find_child(struct mirror *mirror, struct node *directory, struct bytes name, struct node **child)
{
	const struct directory_entry *entry = directory_find(&directory->listing, name);
	struct directory_entry hidden = { .name = name, .mode = S_IFDIR | 0755, .usage = DIRECTORY_USAGE };
	bool is_hidden = mirror->layer->is_hidden && mirror->layer->is_hidden(mirror, directory, name);
	if (is_hidden) {
		/* The layer owns a copy of the name that lives as long as the node. */
		for (size_t i = 0; mirror->layer->hidden(mirror, directory, i, &hidden.name); i++) {
			if (bytes_equal(hidden.name, name))
				break;
		}
		if (entry != NULL)
			hidden.mtime = entry->mtime;
		entry = &hidden;
	}
	*child = node_child(&mirror->nodes, directory, name, entry);
	if (*child == NULL)
		return -ENOMEM;
	if (is_hidden && (*child)->state == LISTING_UNKNOWN)
		node_set_listing(*child,
				 &(struct directory){
					 .mode = S_IFDIR | 0755, .mtime = hidden.mtime, .usage = DIRECTORY_USAGE },
				 NULL);
	return !(*child)->is_absent;
}

static int lookup(struct mirror *mirror, const struct fuse_request *request, void *answer)
{
	struct node *directory = node_of(mirror, request), *child;
	struct bytes name = bytes_of(request->arguments);
	if (directory == NULL)
		return -ESTALE;
	if (name.length > NAME_MAX)
		return -ENAMETOOLONG;
	int result = mirror->layer->list(mirror, directory, request);
	if (result != 0)
		return result;
	/* Beside the top is nothing but what the layer has put there, and what is not has no path. */
	if (directory == mirror->top->parent && directory_find(&directory->listing, name) == NULL)
		return -ENOENT;
	int found = find_child(mirror, directory, name, &child);
	if (found < 0)
		return found;
	/*
	 * Sockets and devices are of no use elsewhere. An error, unlike absence, is not kept by the kernel: whoever looks next is
	 * noticed as well.
	 */
	if (found && S_ISSOCK(child->mode)) {
		mirror->layer->concealed(mirror, request, child);
		return -ENOENT;
	}
	/* An error for the same reason, and not absence: a command that takes it for that would go on with something else. */
	if (!found && directory->listing.is_partial && mirror->layer->withheld) {
		mirror->layer->withheld(mirror, request, child);
		return -EACCES;
	}
	/* Mode and time of a directory stand in its own listing. */
	if (found && S_ISDIR(child->mode)) {
		result = mirror->layer->list(mirror, child, request);
		if (result == -ENOENT || result == -ENOTDIR)
			found = false;
		else if (result != 0 && child->state != LISTING_REFUSED)
			return result;
	}
	result = trace_note(&mirror->trace, child, found ? TRACE_FOUND : TRACE_ABSENT);
	if (result != 0)
		return result;
	struct fuse_entry_out *out = answer;
	*out = (struct fuse_entry_out){ .entry_valid = EVER, .attr_valid = EVER };
	if (found) {
		out->nodeid = child->id; /* 0 says that there is nothing, for ever */
		put_attributes(mirror, child, &out->attr);
	}
	return sizeof *out;
}

static int getattr(struct mirror *mirror, const struct fuse_request *request, void *answer)
{
	struct node *node = node_of(mirror, request);
	if (node == NULL)
		return -ESTALE;
	if (S_ISDIR(node->mode)) {
		int result = mirror->layer->list(mirror, node, request);
		if (result != 0 && node->state != LISTING_REFUSED)
			return result;
	}
	struct fuse_attr_out *out = answer;
	*out = (struct fuse_attr_out){ .attr_valid = EVER };
	put_attributes(mirror, node, &out->attr);
	return sizeof *out;
}

static int readlink_(struct mirror *mirror, const struct fuse_request *request, void *answer)
{
	struct node *node = node_of(mirror, request);
	if (node == NULL)
		return -ESTALE;
	if (!S_ISLNK(node->mode))
		return -EINVAL;
	if (node->target.length >= PATH_MAX)
		return -ENAMETOOLONG;
	int failed = trace_note(&mirror->trace, node, TRACE_LINK);
	if (failed)
		return failed;
	memcpy(answer, node->target.data, node->target.length);
	return (int)node->target.length;
}

static int refuse(struct mirror *mirror, const struct fuse_request *request, void *answer)
{
	(void)answer;
	if (mirror->layer->refused)
		mirror->layer->refused(mirror, request);
	return -EROFS;
}

/* Lets the kernel read the blob itself. False when it will not: then reads come to us. */
static bool pass_through(struct mirror *mirror, struct node *node, int fd)
{
	if (node->backing > 0)
		return true;
	if (!mirror->kernel_knows_passthrough || node->digest.size < mirror->passthrough_least)
		return false;
	struct fuse_backing_map map = { .fd = fd };
	int backing = ioctl(mirror->session.fd, FUSE_DEV_IOC_BACKING_OPEN, &map);
	if (backing <= 0) {
		/* Not permitted, or the store lies on a stacked file system: it will not be different next time. */
		mirror->kernel_knows_passthrough = false;
		return false;
	}
	/* Kept until the session ends: all opens of a node must name the same backing file. */
	node->backing = backing;
	return true;
}

static int open_(struct mirror *mirror, const struct fuse_request *request, void *answer)
{
	const struct fuse_open_in *in = request->arguments;
	struct node *node = node_of(mirror, request);
	if (request->length < sizeof *in)
		return -EINVAL;
	if ((in->flags & O_ACCMODE) != O_RDONLY)
		return refuse(mirror, request, answer);
	if (!mirror->layer->answers_open)
		return -ENOSYS; /* from now on the kernel opens without asking */
	if (node == NULL)
		return -ESTALE;

	struct fuse_open_out *out = answer;
	*out = (struct fuse_open_out){ .open_flags = FOPEN_KEEP_CACHE | FOPEN_NOFLUSH };
	if (node == mirror->stream) {
		out->open_flags = FOPEN_DIRECT_IO | FOPEN_STREAM | FOPEN_NONSEEKABLE | FOPEN_NOFLUSH;
		return sizeof *out;
	}
	int fd = -1;
	if (node->digest.size > 0) {
		int result = mirror->layer->content(mirror, node, request, &fd);
		if (result != 0)
			return result;
	}
	/* An overlay that opens for whoever reads, or to copy, does so with O_NOATIME. Without, it only wants attributes, as of a
	 * file that it is going to truncate. Should it read all the same, a READ tells. One with passthrough gets
	 * none; all opens of a file must be alike in that. */
	int failed = in->flags & O_NOATIME ? trace_note(&mirror->trace, node, TRACE_READ) : 0;
	if (failed)
		return failed;
	if (fd >= 0 && pass_through(mirror, node, fd)) {
		out->open_flags = FOPEN_NOFLUSH;
		kernel_set_backing(out, node->backing);
	}
	return sizeof *out;
}

static int read_(struct mirror *mirror, const struct fuse_request *request, void *answer)
{
	const struct fuse_read_in *in = request->arguments;
	struct node *node = node_of(mirror, request);
	if (request->length < sizeof *in)
		return -EINVAL;
	if (node == NULL)
		return -ESTALE;
	size_t wanted = in->size < FUSE_READ_MAX ? in->size : FUSE_READ_MAX;
	if (node == mirror->stream)
		return mirror->layer->read_stream(mirror, node, request, wanted);

	int fd, failed = trace_note(&mirror->trace, node, TRACE_READ);
	if (failed)
		return failed;
	if (in->offset >= node->digest.size)
		return 0;
	if (wanted > node->digest.size - in->offset)
		wanted = (size_t)(node->digest.size - in->offset);
	int result = mirror->layer->content(mirror, node, request, &fd);
	if (result != 0)
		return result;
	for (size_t done = 0; done < wanted;) {
		ssize_t got = RETRY_EINTR(pread(fd, (char *)answer + done, wanted - done, (off_t)(in->offset + done)));
		if (got <= 0)
			return mirror_fault(mirror, node, got < 0 ? strerror(errno) : "shorter than when it was opened");
		done += (size_t)got;
	}
	if (!content_is_unchanged(node, fd))
		return mirror_fault(mirror, node, "it was written to");
	return (int)wanted;
}

/*
 * A program asks for the holes of a file. Those of the content in the store are others, so that what it makes of them would differ:
 * a sparse file counts as one that is not shown.
 */
static int lseek_(struct mirror *mirror, const struct fuse_request *request, void *answer)
{
	const struct fuse_lseek_in *in = request->arguments;
	struct node *node = node_of(mirror, request);
	if (request->length < sizeof *in || (in->whence != SEEK_DATA && in->whence != SEEK_HOLE))
		return -EINVAL;
	if (node == NULL)
		return -ESTALE;
	uint64_t size = size_of(node);
	if (in->offset >= size)
		return -ENXIO;
	if (node->usage.blocks < size / 512)
		mirror->layer->concealed(mirror, request, node);
	struct fuse_lseek_out *out = answer;
	*out = (struct fuse_lseek_out){ .offset = in->whence == SEEK_DATA ? in->offset : size };
	return sizeof *out;
}

struct listing_writer {
	struct fuse_read_in window;
	unsigned char *at, *end;
	uint64_t index;
};

/* Appends an entry, unless the kernel has it already. False when there is no room left. */
static bool put_entry(struct listing_writer *writer, uint64_t ino, uint32_t mode, struct bytes name)
{
	if (++writer->index <= writer->window.offset)
		return true;
	size_t length = FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + name.length);
	if (length > (size_t)(writer->end - writer->at))
		return false;
	struct fuse_dirent *entry = (void *)writer->at;
	memset(entry, 0, length);
	entry->ino = ino;
	entry->off = writer->index;
	entry->namelen = (uint32_t)name.length;
	entry->type = (mode & S_IFMT) >> 12; /* DT_* */
	memcpy(entry->name, name.data, name.length);
	writer->at += length;
	return true;
}

static int put_listing(struct mirror *mirror, struct node *node, struct listing_writer *writer)
{
	const struct layer *layer = mirror->layer;
	const struct node *parent = node->parent ? node->parent : node;
	if (!put_entry(writer, inode_of(node), S_IFDIR, bytes_of(".")) ||
	    !put_entry(writer, inode_of(parent), S_IFDIR, bytes_of("..")))
		return 0;
	for (size_t i = 0; i < node->listing.count; i++) {
		struct bytes name = node->listing.entries[i].name;
		struct node *child;
		if (writer->index < writer->window.offset || (layer->is_hidden && layer->is_hidden(mirror, node, name))) {
			writer->index++;
			continue;
		}
		if (find_child(mirror, node, name, &child) < 0)
			return -ENOMEM;
		/* Of what kind a socket or device is, only a look-up tells, which is noticed. */
		if (!put_entry(writer, inode_of(child), S_ISSOCK(child->mode) ? 0 : child->mode, name))
			return 0;
	}
	struct bytes name;
	for (size_t i = 0; layer->hidden && layer->hidden(mirror, node, i, &name); i++) {
		struct node *child;
		if (find_child(mirror, node, name, &child) < 0)
			return -ENOMEM;
		if (!put_entry(writer, inode_of(child), S_IFDIR, name))
			return 0;
	}
	return 0;
}

static int readdir_(struct mirror *mirror, const struct fuse_request *request, void *answer)
{
	const struct fuse_read_in *in = request->arguments;
	struct node *node = node_of(mirror, request);
	if (request->length < sizeof *in)
		return -EINVAL;
	if (node == NULL)
		return -ESTALE;
	int result = mirror->layer->list(mirror, node, request);
	if (result != 0)
		return result;
	if (node->listing.is_partial && mirror->layer->withheld) {
		mirror->layer->withheld(mirror, request, node);
		return -EACCES;
	}
	result = trace_note(&mirror->trace, node, TRACE_LISTED);
	if (result != 0)
		return result;
	struct listing_writer writer = {
		.window = *in,
		.at = answer,
		.end = (unsigned char *)answer + (in->size < FUSE_READ_MAX ? in->size : FUSE_READ_MAX),
	};
	result = put_listing(mirror, node, &writer);
	return result != 0 ? result : (int)(writer.at - (unsigned char *)answer);
}

static int statfs_(struct mirror *mirror, const struct fuse_request *request, void *answer)
{
	(void)mirror;
	(void)request;
	struct fuse_statfs_out *out = answer;
	*out = (struct fuse_statfs_out){ .st = { .bsize = 4096, .frsize = 4096, .namelen = NAME_MAX } };
	return sizeof *out;
}

static int succeed(struct mirror *mirror, const struct fuse_request *request, void *answer)
{
	(void)mirror;
	(void)request;
	(void)answer;
	return 0;
}

static int forget(struct mirror *mirror, const struct fuse_request *request, void *answer)
{
	(void)mirror;
	(void)request;
	(void)answer;
	return FUSE_SILENT;
}

static int interrupt(struct mirror *mirror, const struct fuse_request *request, void *answer)
{
	(void)answer;
	const struct fuse_interrupt_in *in = request->arguments;
	if (request->length >= sizeof *in)
		mirror_interrupted(mirror, in->unique);
	return FUSE_SILENT;
}

static int not_tty(struct mirror *mirror, const struct fuse_request *request, void *answer)
{
	(void)mirror;
	(void)request;
	(void)answer;
	return -ENOTTY;
}

/*
 * What is not in the table is answered ENOSYS, which the kernel remembers for OPENDIR, GETXATTR, LISTXATTR, ACCESS,
 * FLUSH, POLL, COPY_FILE_RANGE and more, never to ask again.
 */
static operation *const operations[] = {
	[FUSE_LOOKUP] = lookup,
	[FUSE_FORGET] = forget,
	[FUSE_GETATTR] = getattr,
	[FUSE_SETATTR] = refuse,
	[FUSE_READLINK] = readlink_,
	[FUSE_SYMLINK] = refuse,
	[FUSE_MKNOD] = refuse,
	[FUSE_MKDIR] = refuse,
	[FUSE_UNLINK] = refuse,
	[FUSE_RMDIR] = refuse,
	[FUSE_RENAME] = refuse,
	[FUSE_LINK] = refuse,
	[FUSE_OPEN] = open_,
	[FUSE_READ] = read_,
	[FUSE_WRITE] = refuse,
	[FUSE_STATFS] = statfs_,
	[FUSE_RELEASE] = succeed,
	[FUSE_SETXATTR] = refuse,
	[FUSE_REMOVEXATTR] = refuse,
	[FUSE_INIT] = init,
	[FUSE_READDIR] = readdir_,
	[FUSE_CREATE] = refuse,
	[FUSE_INTERRUPT] = interrupt,
	[FUSE_DESTROY] = succeed,
	[FUSE_IOCTL] = not_tty,
	[FUSE_BATCH_FORGET] = forget,
	[FUSE_FALLOCATE] = refuse,
	[FUSE_RENAME2] = refuse,
	[FUSE_LSEEK] = lseek_,
	[FUSE_TMPFILE] = refuse,
};

int ops_handle(void *owner, const struct fuse_request *request, void *answer)
{
	uint32_t opcode = request->header->opcode;
	if (opcode >= sizeof operations / sizeof *operations || operations[opcode] == NULL)
		return -ENOSYS;
	return operations[opcode](owner, request, answer);
}
