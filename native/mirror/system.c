#include "system.h"

#include "fd.h"
#include "frame_io.h"
#include "job_process.h"
#include "log.h"
#include "mirror.h"
#include "path.h"
#include "wire.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define REPORTED_MAX 64 /* jobs that were refused something last: each kind is told once for each */
#define CHECK_INTERRUPTED_MS 100

struct system {
	struct mirror mirror;
	struct frame_out out;
	char **hidden; /* clean absolute paths */
	size_t hidden_count;
	/* Since the trace was last asked for, which is whenever a job has ended: then the process may be another one's. */
	struct {
		pid_t process;
		uint32_t kind;
	} reported[REPORTED_MAX];
	size_t reported_next;
};

/* "/" and the path from the root; malloc'ed, or NULL. */
static char *absolute_path(const struct system *system, const struct node *node)
{
	AUTO_FREE char *path = node_path(system->mirror.top, node);
	return path == NULL ? NULL : path_join("/", path);
}

static int ask(struct system *system, enum need_kind kind, struct node *node, const struct fuse_request *request)
{
	uint32_t id;
	AUTO_FREE char *path = absolute_path(system, node);
	if (path == NULL)
		return -ENOMEM;
	int result = mirror_park(&system->mirror, kind, node, request, &id);
	if (id != 0) {
		frame_begin(&system->out, kind == NEED_LISTING ? BOX_LIST : BOX_READ);
		frame_put_u32(&system->out, id);
		frame_put_string(&system->out, path);
		if (kind == NEED_CONTENT)
			frame_put_u32(&system->out, node->must_copy);
		frame_end(&system->out);
	}
	return result;
}

static void report(struct system *system, const struct fuse_request *request, uint32_t kind, char *path);

static int list(struct mirror *mirror, struct node *directory, const struct fuse_request *request)
{
	if (directory->state == LISTING_KNOWN)
		return 0;
	/* To look for a name in what may only be passed would be allowed in the original. */
	bool is_passed = directory->failure == EPERM && request->header->opcode == FUSE_LOOKUP &&
			 request->header->nodeid == directory->id;
	if (is_passed)
		report(mirror->owner, request, REFUSED_HIDDEN, absolute_path(mirror->owner, directory));
	if (directory->failure != 0)
		return is_passed ? -EACCES : -directory->failure;
	if (!S_ISDIR(directory->mode))
		return -ENOTDIR;
	return ask(mirror->owner, NEED_LISTING, directory, request);
}

static int content(struct mirror *mirror, struct node *file, const struct fuse_request *request, int *fd)
{
	if (file->failure != 0) {
		/* A private file: on its own machine the command may well be allowed to read it. */
		if (file->failure == EACCES || file->failure == EPERM)
			report(mirror->owner, request, REFUSED_PRIVATE, absolute_path(mirror->owner, file));
		return -file->failure;
	}
	bool is_known = file->digest.hash.length != 0 || file->original != NULL;
	*fd = is_known ? content_open(&mirror->content, file) : -EAGAIN;
	bool was_answered = file->is_answered;
	file->is_answered = false;
	if (*fd >= 0)
		return 0;
	/* The origin may see another file there than we do: on a file system that was mounted after our namespace was made. */
	if (*fd == -EAGAIN && was_answered && file->original != NULL) {
		node_drop_original(file);
		file->must_copy = true;
		was_answered = false;
	}
	if (*fd != -EAGAIN)
		return mirror_fault(mirror, file, strerror(-*fd));
	/* Told where it is, and yet it is not there: asking again and again would be a loop. */
	return was_answered ? mirror_fault(mirror, file, "it keeps changing")
			    : ask(mirror->owner, NEED_CONTENT, file, request);
}

static bool is_hidden(struct mirror *mirror, struct node *directory, struct bytes name)
{
	const struct system *system = mirror->owner;
	struct bytes hidden;
	for (size_t i = 0; system->mirror.layer->hidden(mirror, directory, i, &hidden); i++) {
		if (bytes_equal(hidden, name))
			return true;
	}
	return false;
}

/* The index-th hidden path whose parent is the directory: its last name. */
static bool hidden(struct mirror *mirror, struct node *directory, size_t index, struct bytes *name)
{
	const struct system *system = mirror->owner;
	AUTO_FREE char *path = absolute_path(system, directory);
	for (size_t i = 0; path != NULL && i < system->hidden_count; i++) {
		const char *below = path_below(system->hidden[i], path);
		if (below == NULL || *below == 0 || strchr(below, '/') != NULL)
			continue;
		if (index-- == 0) {
			*name = bytes_of(below);
			return true;
		}
	}
	return false;
}

/* Where the name of what would be made or removed begins in the arguments of an operation; -1: there is none. */
static int name_offset(uint32_t opcode)
{
	switch (opcode) {
	case FUSE_SYMLINK:
	case FUSE_UNLINK:
	case FUSE_RMDIR:
		return 0;
	case FUSE_MKNOD:
		return sizeof(struct fuse_mknod_in);
	case FUSE_MKDIR:
		return sizeof(struct fuse_mkdir_in);
	case FUSE_RENAME:
		return sizeof(struct fuse_rename_in);
	case FUSE_RENAME2:
		return sizeof(struct fuse_rename2_in);
	case FUSE_LINK:
		return sizeof(struct fuse_link_in);
	case FUSE_CREATE:
		return sizeof(struct fuse_create_in);
	default:
		return -1;
	}
}

static char *refused_path(const struct system *system, const struct fuse_request *request)
{
	const struct node *node = node_get(&system->mirror.nodes, request->header->nodeid);
	if (node == NULL)
		return NULL;
	AUTO_FREE char *path = absolute_path(system, node);
	int offset = name_offset(request->header->opcode);
	if (path == NULL || offset < 0 || (size_t)offset > request->length)
		return path == NULL ? NULL : strdup(path);
	return path_join(path, (const char *)request->arguments + offset);
}

/* Takes over the path. */
static void report(struct system *system, const struct fuse_request *request, uint32_t kind, char *path)
{
	AUTO_FREE char *owned = path;
	pid_t process = job_process(request->header->pid);
	if (path == NULL)
		return;
	for (size_t i = 0; process != 0 && i < REPORTED_MAX; i++) {
		if (system->reported[i].process == process && system->reported[i].kind == kind)
			return;
	}
	frame_begin(&system->out, BOX_REFUSED);
	frame_put_string(&system->out, path);
	frame_put_u32(&system->out, kind);
	frame_put_u32(&system->out, (uint32_t)process);
	frame_end(&system->out);
	size_t next = system->reported_next++ % REPORTED_MAX;
	system->reported[next].process = process;
	system->reported[next].kind = kind;
	/* It might try again for ever. */
	if (process != 0)
		kill(process, LIMIT_SIGNAL);
}

static void refused(struct mirror *mirror, const struct fuse_request *request)
{
	struct system *system = mirror->owner;
	report(system, request, REFUSED_WRITE, refused_path(system, request));
}

static void concealed(struct mirror *mirror, const struct fuse_request *request, struct node *node)
{
	struct system *system = mirror->owner;
	report(system, request, REFUSED_HIDDEN, absolute_path(system, node));
}

/* On its own machine the command may well be allowed to. */
static void withheld(struct mirror *mirror, const struct fuse_request *request, struct node *node)
{
	struct system *system = mirror->owner;
	report(system, request, REFUSED_PRIVATE, absolute_path(system, node));
}

static const struct layer system_layer = {
	.list = list,
	.content = content,
	.is_hidden = is_hidden,
	.hidden = hidden,
	.refused = refused,
	.concealed = concealed,
	.withheld = withheld,
	.answers_open = false,
	.prefix = "/",
};

/* Takes a listing out of an answer, the first or a later one. 0, or the errno (positive) that requests for it get. */
static int take_listing(const struct node_table *nodes, struct node *node, struct bytes bytes)
{
	unsigned char *blob = malloc(bytes.length + 1);
	if (blob == NULL)
		return ENOMEM;
	if (bytes.length > 0)
		memcpy(blob, bytes.data, bytes.length);
	struct directory listing;
	int failed = directory_parse(&listing, (struct bytes){ blob, bytes.length });
	if (!failed && node->state == LISTING_KNOWN)
		failed = node_relist(nodes, node, &listing, blob);
	else if (!failed)
		node_set_listing(node, &listing, blob);
	if (!failed)
		return 0;
	directory_free(&listing);
	free(blob);
	return -failed;
}

static int listed(struct system *system, struct frame_in *in)
{
	uint32_t id = frame_get_u32(in);
	int error = mirror_get_errno(in);
	struct bytes bytes = frame_get_bytes(in);
	if (!frame_in_done(in))
		return -EBADMSG;
	struct need *need = mirror_need(&system->mirror, id, NEED_LISTING);
	if (need == NULL)
		return 0;
	struct node *node = need->node;
	node->failure = error != 0 ? error : take_listing(&system->mirror.nodes, node, bytes);
	if (node->failure == EBADMSG) {
		log_line("mirror: a listing is malformed");
		node->failure = EIO;
	}
	/* A directory that may not be read is there all the same. With EPERM what lies in it could be reached in the original. */
	if (node->failure == EACCES || node->failure == EPERM) {
		node->state = LISTING_REFUSED;
		node->mode = S_IFDIR | (node->failure == EPERM ? 0711 : 0700);
		node->rights = RIGHTS_OTHER;
	}
	mirror_resume(&system->mirror, need);
	if (node->state != LISTING_REFUSED)
		node->failure = 0; /* the next request asks again */
	return 0;
}

/* The node of an absolute path, or NULL when nobody asked for one yet. */
static struct node *node_at(const struct system *system, const char *path)
{
	struct node *node = system->mirror.top;
	while (node != NULL && *path != 0) {
		path += *path == '/';
		size_t length = strcspn(path, "/");
		if (length > 0)
			node = node_find(&system->mirror.nodes, node, (struct bytes){ (const unsigned char *)path, length });
		path += length;
	}
	return node;
}

/* Whether the kernel was told of a name, or of something below it: it will not ask again. */
static bool is_known(const struct system *system, const struct node *directory, struct bytes name)
{
	const struct node *child = node_find(&system->mirror.nodes, directory, name);
	return child != NULL && (child->seen != 0 || child->state != LISTING_UNKNOWN);
}

/*
 * A directory has changed. What was looked at stays as it was seen, for ever; so it is taken over only if nobody has looked
 * at what is different.
 */
static int relisted(struct system *system, struct frame_in *in)
{
	uint32_t id = frame_get_u32(in);
	AUTO_FREE char *path = bytes_to_string(frame_get_bytes(in));
	struct node *node = path == NULL ? NULL : node_at(system, path);
	/* A hidden one is ours. */
	bool is_shown = node != NULL && node->state == LISTING_KNOWN && node->blob != NULL;
	bool is_refused = false;
	for (uint32_t count = frame_get_count(in, 4); count > 0; count--) {
		struct bytes name = frame_get_bytes(in);
		is_refused |= is_shown && is_known(system, node, name);
	}
	bool names_differ = frame_get_u32(in) != 0;
	struct bytes bytes = frame_get_bytes(in);
	if (path == NULL || !frame_in_done(in))
		return -EBADMSG;
	is_refused |= is_shown && names_differ && (node->seen & TRACE_LISTED);
	int failed = is_shown && !is_refused ? take_listing(&system->mirror.nodes, node, bytes) : 0;
	frame_begin(&system->out, BOX_RELISTED);
	frame_put_u32(&system->out, id);
	frame_put_u32(&system->out, is_refused);
	frame_end(&system->out);
	return -failed;
}

/* Answers the requests for the content of a file, which are handled again unless something has failed. */
static void content_answered(struct system *system, struct need *need, int failed)
{
	struct node *node = need->node;
	node->failure = -failed;
	node->is_answered = !failed;
	mirror_resume(&system->mirror, need);
	node->failure = 0;
	node->is_answered = false;
}

static int file_answered(struct system *system, struct frame_in *in)
{
	uint32_t id = frame_get_u32(in);
	int error = mirror_get_errno(in);
	struct digest digest = frame_get_digest(in);
	if (!frame_in_done(in))
		return -EBADMSG;
	struct need *need = mirror_need(&system->mirror, id, NEED_CONTENT);
	if (need == NULL)
		return 0;
	struct node *node = need->node;
	/* The file has changed: the kernel was told the old size, and may hold pages of the old content. */
	bool is_same = digest.size == node->digest.size &&
		       (node->digest.hash.length == 0 || bytes_equal(digest.hash, node->digest.hash));
	int failed = -error;
	if (!failed && (!digest_is_valid(digest) || !is_same))
		failed = mirror_fault(&system->mirror, node, "it has changed");
	if (!failed)
		failed = node_set_digest(node, digest);
	if (!failed && content_remember(&system->mirror.content, digest) < 0)
		failed = mirror_fault(&system->mirror, node, "its copy is not in the store");
	content_answered(system, need, failed);
	return 0;
}

static int original_answered(struct system *system, struct frame_in *in)
{
	uint32_t id = frame_get_u32(in);
	struct original original = { .size = frame_get_u64(in),
				     .mtime_ns = frame_get_u64(in),
				     .ctime_ns = frame_get_u64(in),
				     .inode = frame_get_u64(in) };
	if (!frame_in_done(in))
		return -EBADMSG;
	struct need *need = mirror_need(&system->mirror, id, NEED_CONTENT);
	if (need == NULL)
		return 0;
	struct node *node = need->node;
	original.path = absolute_path(system, node);
	int failed = original.path == NULL ? -ENOMEM : node_set_original(node, original);
	if (!failed && original.size != node->digest.size)
		failed = -ESTALE;
	content_answered(system, need, failed == -ESTALE ? mirror_fault(&system->mirror, node, "it has changed") : failed);
	return 0;
}

static int trace_wanted(struct system *system, struct frame_in *in)
{
	uint32_t id = frame_get_u32(in);
	if (!frame_in_done(in))
		return -EBADMSG;
	memset(system->reported, 0, sizeof system->reported);
	frame_begin(&system->out, BOX_TRACE);
	frame_put_u32(&system->out, id);
	trace_put(&system->mirror.trace, &system->out, system->mirror.top, "/");
	frame_end(&system->out);
	return 0;
}

static int handle_frame(struct system *system, const struct frame *frame)
{
	struct frame_in in = frame_in_of(frame->payload);
	switch (frame->type) {
	case EXECUTOR_LISTED:
		return listed(system, &in);
	case EXECUTOR_RELISTED:
		return relisted(system, &in);
	case EXECUTOR_FILE:
		return file_answered(system, &in);
	case EXECUTOR_ORIGINAL:
		return original_answered(system, &in);
	case EXECUTOR_TRACE_WANTED:
		return trace_wanted(system, &in);
	default:
		log_line("mirror: frame of unexpected type 0x%x", frame->type);
		return -EBADMSG;
	}
}

static void put_broken(struct system *system, const char *message)
{
	frame_begin(&system->out, BOX_BROKEN);
	frame_put_string(&system->out, message);
	frame_end(&system->out);
	log_line("%s", message);
}

/* 0, 1 when the connection was closed, or -errno. */
static int receive(struct system *system, struct frame_reader *reader, int connection)
{
	ssize_t count = frame_reader_read(reader, connection);
	if (count <= 0)
		return count == 0 ? 1 : (int)count;
	struct frame frame;
	int got;
	while ((got = frame_reader_next(reader, &frame)) > 0) {
		int failed = handle_frame(system, &frame);
		if (failed)
			return failed;
	}
	return got;
}

/* Until the connection is closed. Answers 0 or -errno. */
static int loop(struct system *system, const struct system_options *options)
{
	struct pollfd wanted[] = {
		{ .fd = options->connection, .events = POLLIN },
		{ .fd = options->termination, .events = POLLIN },
		{ .fd = system->mirror.session.fd, .events = POLLIN },
	};
	for (;;) {
		int failed = frame_out_write(&system->out, options->connection);
		if (failed)
			return failed;
		int timeout = system->mirror.has_interrupted ? CHECK_INTERRUPTED_MS : -1;
		if (RETRY_EINTR(poll(wanted, 3, timeout)) < 0)
			return -errno;
		if (wanted[1].revents)
			return 0;
		if (wanted[0].revents) {
			failed = receive(system, options->reader, options->connection);
			if (failed)
				return failed < 0 ? failed : 0;
		}
		if (wanted[2].revents) {
			failed = fuse_serve(&system->mirror.session);
			if (failed)
				return failed;
			if (system->mirror.session.ended)
				wanted[2].fd = -1;
		}
		/* Nobody knows which job it was. */
		if (system->mirror.session.fault != 0) {
			if (system->mirror.fault != NULL)
				put_broken(system, system->mirror.fault);
			(void)frame_out_write(&system->out, options->connection);
			return -system->mirror.session.fault;
		}
		if (system->mirror.has_interrupted)
			mirror_check_interrupted(&system->mirror);
	}
}

char *system_mount_directory(struct bytes mount)
{
	struct frame_in in = frame_in_of(mount);
	char *directory = bytes_to_string(frame_get_bytes(&in));
	if (directory != NULL && (in.failed || directory[0] != '/')) {
		free(directory);
		return NULL;
	}
	return directory;
}

static int parse(struct system *system, struct bytes mount)
{
	struct frame_in in = frame_in_of(mount);
	frame_get_bytes(&in);
	uint32_t count = frame_get_count(&in, 4);
	system->hidden = calloc(count + 1, sizeof(char *));
	if (system->hidden == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		char *path = bytes_to_string(frame_get_bytes(&in));
		if (path == NULL)
			return -EBADMSG;
		system->hidden[system->hidden_count++] = path;
		if (path[0] != '/')
			return -EBADMSG;
		path_clean(path);
	}
	return frame_in_done(&in) ? 0 : -EBADMSG;
}

static int mount_at(const struct system *system, const char *directory)
{
	const struct mirror *mirror = &system->mirror;
	/* Not read-only for the kernel: then we would not be told what was refused. */
	AUTO_CLOSE int mount = fuse_mount(&mirror->session, &(struct fuse_mount_options){
								    .name = "termite-system",
								    .uid = mirror->uid,
								    .gid = mirror->gid,
								    .has_permissions = true,
							    });
	if (mount < 0)
		return mount;
	return move_mount(mount, "", AT_FDCWD, directory, MOVE_MOUNT_F_EMPTY_PATH) < 0 ? -errno : 0;
}

static void say_broken(struct system *system, const char *call, const char *directory, int error)
{
	char message[PATH_MAX + 200];
	snprintf(message, sizeof message, "mirror: %s \"%s\": %s", call, directory, strerror(error));
	put_broken(system, message);
}

static void system_free(struct system *system)
{
	mirror_free(&system->mirror);
	frame_out_free(&system->out);
	for (size_t i = 0; i < system->hidden_count; i++)
		free(system->hidden[i]);
	free(system->hidden);
	free(system);
}

void system_serve(const struct system_options *options)
{
	AUTO_FREE char *directory = system_mount_directory(options->mount);
	struct system *system = calloc(1, sizeof *system);
	if (system == NULL || directory == NULL) {
		log_line("mirror: MOUNT is malformed");
		free(system);
		return;
	}
	const char *call = "open";
	int failed = mirror_init(&system->mirror, &system_layer, system);
	system->mirror.uid = options->uid;
	system->mirror.gid = options->gid;
	system->mirror.content = (struct content){ .store = options->store, .verified = options->verified };
	bool is_mounted = false;
	if (failed) {
		say_broken(system, call, "/dev/fuse", -failed);
	} else if ((failed = parse(system, options->mount)) < 0) {
		say_broken(system, "MOUNT of", directory, -failed);
	} else if ((failed = mount_at(system, directory)) < 0) {
		say_broken(system, "mount of fuse on", directory, -failed);
	} else {
		is_mounted = true;
		trace_ignore(system->mirror.top, TRACE_FOUND | TRACE_ABSENT);
		frame_begin(&system->out, BOX_MOUNTED);
		frame_end(&system->out);
	}
	failed = loop(system, options);
	if (failed)
		log_line("mirror: \"%s\" ends: %s", directory, strerror(-failed));
	system_free(system);
	/* After the session: unmounting must not wait for an answer of ours. */
	if (is_mounted)
		umount2(directory, MNT_DETACH);
}
