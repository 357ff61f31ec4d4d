#include "project.h"

#include "fd.h"
#include "log.h"
#include "wire.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* Below this, opening the backing file costs more than one READ. */
#define PASSTHROUGH_LEAST ((uint64_t)64 << 10)

__attribute__((format(printf, 2, 3))) static void break_(struct project *project, const char *format, ...)
{
	if (project->broken != NULL)
		return;
	va_list arguments;
	va_start(arguments, format);
	if (vasprintf(&project->broken, format, arguments) < 0)
		project->broken = NULL;
	va_end(arguments);
}

static size_t slot_of(const struct project *project, struct digest digest)
{
	size_t word;
	memcpy(&word, digest.hash.data + 8, sizeof word);
	return (word * 0x9e3779b97f4a7c15u >> 20) & (project->known_size - 1);
}

static int know(struct project *project, const struct project_directory *directories, size_t count)
{
	project->known_size = 16;
	while (project->known_size < count * 2)
		project->known_size *= 2;
	project->known = calloc(project->known_size, sizeof *project->known);
	if (project->known == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		if (!digest_is_valid(directories[i].digest))
			return -EBADMSG;
		size_t slot = slot_of(project, directories[i].digest);
		while (project->known[slot].digest.hash.length != 0)
			slot = (slot + 1) & (project->known_size - 1);
		project->known[slot] = directories[i];
	}
	return 0;
}

static const struct project_directory *find_known(const struct project *project, struct digest digest)
{
	for (size_t slot = slot_of(project, digest);; slot = (slot + 1) & (project->known_size - 1)) {
		const struct project_directory *known = &project->known[slot];
		if (known->digest.hash.length == 0)
			return NULL;
		if (bytes_equal(known->digest.hash, digest.hash))
			return known;
	}
}

/* 0 or -errno; the blob is freed with the node when it is owned. */
static int take_listing(struct project *project, struct node *node, struct bytes blob, unsigned char *owned)
{
	struct directory listing;
	int failed = blob.length == node->digest.size ? directory_parse(&listing, blob) : -EBADMSG;
	if (failed == -EBADMSG)
		break_(project, "directory %.*s is malformed", (int)node->digest.hash.length,
		       (const char *)node->digest.hash.data);
	if (failed) {
		free(owned);
		return failed;
	}
	node_set_listing(node, &listing, owned);
	return 0;
}

/* The directory's blob out of the store, when it is there and verified: else -EAGAIN. */
static int read_listing(struct project *project, struct node *node)
{
	AUTO_CLOSE int fd = content_open_blob(&project->mirror.content, node->digest);
	if (fd < 0)
		return fd;
	unsigned char *blob = malloc((size_t)node->digest.size + 1);
	if (blob == NULL)
		return -ENOMEM;
	size_t length = 0;
	while (length < node->digest.size) {
		ssize_t got = RETRY_EINTR(read(fd, blob + length, (size_t)node->digest.size - length));
		if (got <= 0) {
			free(blob);
			return -EAGAIN;
		}
		length += (size_t)got;
	}
	return take_listing(project, node, (struct bytes){ blob, length }, blob);
}

static int ask(struct project *project, enum need_kind kind, uint32_t type, struct node *node,
	       const struct fuse_request *request)
{
	uint32_t id;
	int result = mirror_park(&project->mirror, kind, node, request, &id);
	if (id != 0) {
		frame_begin(project->mirror.out, type);
		frame_put_u32(project->mirror.out, id);
		frame_put_digest(project->mirror.out, node->digest);
		frame_end(project->mirror.out);
	}
	return result;
}

static int list(struct mirror *mirror, struct node *directory, const struct fuse_request *request)
{
	struct project *project = mirror->owner;
	if (directory->state == LISTING_KNOWN)
		return 0;
	if (directory->failure != 0)
		return -directory->failure;
	if (!S_ISDIR(directory->mode))
		return -ENOTDIR;
	if (!digest_is_valid(directory->digest)) {
		break_(project, "a directory of the project has no digest");
		return -EIO;
	}
	if (directory->digest.size == 0)
		return take_listing(project, directory, (struct bytes){ NULL, 0 }, NULL);
	const struct project_directory *known = find_known(project, directory->digest);
	if (known != NULL)
		return take_listing(project, directory, known->blob, NULL);
	int failed = read_listing(project, directory);
	if (failed != -EAGAIN)
		return failed;
	return ask(project, NEED_LISTING, BOX_NEED_DIRECTORY, directory, request);
}

static int content(struct mirror *mirror, struct node *file, const struct fuse_request *request, int *fd)
{
	struct project *project = mirror->owner;
	if (file->failure != 0)
		return -file->failure;
	if (!digest_is_valid(file->digest)) {
		break_(project, "a file of the project has no digest");
		return -EIO;
	}
	*fd = content_open(&mirror->content, file);
	bool was_answered = file->is_answered;
	file->is_answered = false;
	if (*fd >= 0)
		return 0;
	if (*fd == -EAGAIN && !was_answered)
		return ask(project, NEED_CONTENT, BOX_NEED_BLOB, file, request);
	int error = *fd == -EAGAIN ? ENOENT : -*fd;
	break_(project, "open of blob %.64s: %s", (const char *)file->digest.hash.data, strerror(error));
	return -EIO;
}

static int read_stream(struct mirror *mirror, struct node *file, const struct fuse_request *request, size_t size)
{
	struct project *project = mirror->owner;
	size_t count = project->input_length < size ? project->input_length : size;
	if (count > 0) {
		memcpy(mirror->session.answer, project->input, count);
		project->input_length -= count;
		memmove(project->input, project->input + count, project->input_length);
		return (int)count;
	}
	if (project->input_ended || size == 0)
		return 0;
	uint32_t id;
	int result = mirror_park(mirror, NEED_STDIN, file, request, &id);
	if (id != 0) {
		frame_begin(mirror->out, BOX_NEED_STDIN);
		frame_put_u32(mirror->out, id);
		frame_put_u32(mirror->out, (uint32_t)size);
		frame_end(mirror->out);
	}
	return result;
}

static void concealed(struct mirror *mirror, const struct fuse_request *request, struct node *node)
{
	struct project *project = mirror->owner;
	(void)request;
	if (project->concealed == NULL)
		project->concealed = node_path(mirror->top, node);
}

static const struct layer project_layer = {
	.list = list,
	.content = content,
	.concealed = concealed,
	.read_stream = read_stream,
	.answers_open = true,
	.prefix = "",
};

/* Our own root with its three names; what is done there is no observation of the job. */
static int make_root(struct project *project, const struct project_options *options)
{
	struct mirror *mirror = &project->mirror;
	enum { STDIN, PLACES, TREE, COUNT };
	struct directory_entry *entries = calloc(COUNT, sizeof *entries);
	if (entries == NULL)
		return -ENOMEM;
	entries[STDIN] = (struct directory_entry){ .name = bytes_of(PROJECT_STDIN), .mode = S_IFREG | 0400 };
	entries[PLACES] = (struct directory_entry){ .name = bytes_of(PROJECT_PLACES), .mode = S_IFDIR | 0755 };
	entries[TREE] = (struct directory_entry){ .name = bytes_of(PROJECT_TREE),
						  .mode = S_IFDIR | 0755,
						  .digest = options->root };
	struct directory listing = {
		.entries = entries, .count = COUNT, .file_count = 1, .directory_count = 2, .mode = S_IFDIR | 0700
	};
	struct node *top = node_root(&mirror->nodes);
	node_set_listing(top, &listing, NULL);
	mirror->stream = node_child(&mirror->nodes, top, entries[STDIN].name, &entries[STDIN]);
	mirror->top = node_child(&mirror->nodes, top, entries[TREE].name, &entries[TREE]);
	project->places = node_child(&mirror->nodes, top, entries[PLACES].name, &entries[PLACES]);
	if (mirror->stream == NULL || mirror->top == NULL || project->places == NULL)
		return -ENOMEM;
	trace_ignore(top, UINT32_MAX);
	trace_ignore(mirror->stream, UINT32_MAX);
	trace_ignore(mirror->top, TRACE_FOUND);
	trace_ignore(project->places, UINT32_MAX);
	return places_make(mirror, project->places, options->shown, options->shown_count);
}

int project_init(struct project *project, const struct project_options *options)
{
	*project = (struct project){ 0 };
	int failed = mirror_init(&project->mirror, &project_layer, project);
	if (failed)
		return failed;
	project->mirror.out = options->out;
	project->mirror.uid = options->uid;
	project->mirror.gid = options->gid;
	project->mirror.content = options->content;
	if (options->allow_passthrough)
		project->mirror.passthrough_least = PASSTHROUGH_LEAST;
	failed = know(project, options->directories, options->directory_count);
	return failed ? failed : make_root(project, options);
}

void project_free(struct project *project)
{
	mirror_free(&project->mirror);
	free(project->known);
	free(project->input);
	free(project->concealed);
	free(project->broken);
	*project = (struct project){ 0 };
	project->mirror.session.fd = -1;
}

int project_root(struct project *project, uint32_t *mode, struct timespec *mtime)
{
	int result = list(&project->mirror, project->mirror.top, NULL);
	if (result == 0) {
		*mode = project->mirror.top->mode;
		*mtime = project->mirror.top->mtime;
	}
	return result;
}

static int directory_answered(struct project *project, struct frame_in *in)
{
	uint32_t id = frame_get_u32(in);
	int error = mirror_get_errno(in);
	struct bytes bytes = frame_get_bytes(in);
	if (!frame_in_done(in))
		return -EBADMSG;
	struct need *need = mirror_need(&project->mirror, id, NEED_LISTING);
	if (need == NULL)
		return 0;
	struct node *node = need->node;
	if (error != 0) {
		break_(project, "directory %.64s: %s", (const char *)node->digest.hash.data, strerror(error));
		node->failure = EIO;
	} else {
		unsigned char *blob = malloc(bytes.length + 1);
		if (blob == NULL)
			return -ENOMEM;
		if (bytes.length > 0)
			memcpy(blob, bytes.data, bytes.length);
		if (take_listing(project, node, (struct bytes){ blob, bytes.length }, blob) < 0)
			node->failure = EIO;
	}
	mirror_resume(&project->mirror, need);
	return 0;
}

static int blob_answered(struct project *project, struct frame_in *in)
{
	uint32_t id = frame_get_u32(in);
	int error = mirror_get_errno(in);
	if (!frame_in_done(in))
		return -EBADMSG;
	struct need *need = mirror_need(&project->mirror, id, NEED_CONTENT);
	if (need == NULL)
		return 0;
	struct node *node = need->node;
	if (error == 0)
		error = -content_remember(&project->mirror.content, node->digest);
	if (error != 0) {
		break_(project, "blob %.64s: %s", (const char *)node->digest.hash.data, strerror(error));
		node->failure = EIO;
	}
	node->is_answered = true;
	mirror_resume(&project->mirror, need);
	return 0;
}

static int stdin_answered(struct project *project, struct frame_in *in)
{
	uint32_t id = frame_get_u32(in);
	struct bytes bytes = frame_get_bytes(in);
	if (!frame_in_done(in))
		return -EBADMSG;
	struct need *need = mirror_need(&project->mirror, id, NEED_STDIN);
	if (bytes.length == 0) {
		project->input_ended = true;
	} else {
		unsigned char *grown = realloc(project->input, project->input_length + bytes.length);
		if (grown == NULL)
			return -ENOMEM;
		memcpy(grown + project->input_length, bytes.data, bytes.length);
		project->input = grown;
		project->input_length += bytes.length;
	}
	if (need != NULL)
		mirror_resume(&project->mirror, need);
	return 0;
}

bool project_has(struct project *project, const char *path)
{
	struct node *node = project->mirror.top;
	while (*path != 0 && node->state == LISTING_KNOWN) {
		struct bytes name = { (const unsigned char *)path, strcspn(path, "/") };
		const struct directory_entry *entry = directory_find(&node->listing, name);
		if (entry == NULL)
			return false;
		node = node_child(&project->mirror.nodes, node, name, entry);
		if (node == NULL)
			return true;
		path += name.length + (path[name.length] == '/');
	}
	return true;
}

int project_handle_frame(struct project *project, const struct frame *frame)
{
	struct frame_in in = frame_in_of(frame->payload);
	switch (frame->type) {
	case EXECUTOR_DIRECTORY:
		return directory_answered(project, &in);
	case EXECUTOR_BLOB:
		return blob_answered(project, &in);
	case EXECUTOR_STDIN:
		return stdin_answered(project, &in);
	default:
		log_line("mirror: frame of unexpected type 0x%x", frame->type);
		return -EBADMSG;
	}
}
