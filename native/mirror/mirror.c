#include "mirror.h"

#include "fd.h"
#include "log.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

int mirror_init(struct mirror *mirror, const struct layer *layer, void *owner)
{
	*mirror = (struct mirror){ .layer = layer, .owner = owner, .passthrough_least = UINT64_MAX };
	mirror->session.fd = -1;
	int failed = node_table_init(&mirror->nodes);
	if (failed)
		return failed;
	mirror->top = node_root(&mirror->nodes);
	return fuse_open(&mirror->session, ops_handle, mirror);
}

static struct fuse_request request_of(const struct parked *parked)
{
	const struct fuse_in_header *header = (const void *)parked->message;
	return (struct fuse_request){ header, header + 1, parked->length - sizeof *header };
}

static struct need *new_need(struct mirror *mirror, enum need_kind kind, struct node *node)
{
	struct need *need = calloc(1, sizeof *need);
	if (need == NULL)
		return NULL;
	*need = (struct need){ .next = mirror->needs, .id = ++mirror->last_id, .kind = kind, .node = node };
	need->last = &need->first;
	mirror->needs = need;
	return need;
}

int mirror_park(struct mirror *mirror, enum need_kind kind, struct node *node, const struct fuse_request *request,
		uint32_t *id)
{
	struct need *need = mirror->needs;
	while (need != NULL && (need->kind != kind || need->node != node))
		need = need->next;
	*id = 0;
	if (need == NULL) {
		need = new_need(mirror, kind, node);
		if (need == NULL)
			return -ENOMEM;
		*id = need->id;
	}
	if (request == NULL)
		return FUSE_PARKED;

	size_t length = sizeof *request->header + request->length;
	struct parked *parked = malloc(sizeof *parked + length + 1);
	if (parked == NULL)
		return -ENOMEM;
	*parked = (struct parked){ .length = length };
	memcpy(parked->message, request->header, length);
	parked->message[length] = 0;
	*need->last = parked;
	need->last = &parked->next;
	return FUSE_PARKED;
}

int mirror_get_errno(struct frame_in *in)
{
	uint32_t error = frame_get_u32(in);
	in->failed |= error >= KERNEL_ERRNO_END;
	return in->failed ? 0 : (int)error;
}

struct need *mirror_need(const struct mirror *mirror, uint32_t id, enum need_kind kind)
{
	for (struct need *need = mirror->needs; need != NULL; need = need->next) {
		if (need->id == id && need->kind == kind)
			return need;
	}
	return NULL;
}

static void remove_need(struct mirror *mirror, struct need *need)
{
	struct need **at = &mirror->needs;
	while (*at != need)
		at = &(*at)->next;
	*at = need->next;
}

void mirror_resume(struct mirror *mirror, struct need *need)
{
	/* First out of the list: handling a request may park it again, with a new need. */
	remove_need(mirror, need);
	for (struct parked *parked = need->first, *next; parked != NULL; parked = next) {
		next = parked->next;
		struct fuse_request request = request_of(parked);
		fuse_handle(&mirror->session, &request);
		free(parked);
	}
	free(need);
}

static void answer_interrupted(struct mirror *mirror, struct need *need, struct parked **at)
{
	struct parked *parked = *at;
	struct fuse_request request = request_of(parked);
	fuse_answer_error(&mirror->session, request.header->unique, EINTR);
	*at = parked->next;
	if (need->last == &parked->next)
		need->last = at;
	free(parked);
}

/* Whether SIGKILL is pending for the thread: its whole process is about to die. Source: proc(5), SigPnd. */
static bool is_being_killed(uint32_t thread)
{
	char path[40], status[4096];
	snprintf(path, sizeof path, "/proc/%u/status", thread);
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT;
	ssize_t length = RETRY_EINTR(read(fd, status, sizeof status - 1));
	if (length <= 0)
		return false;
	status[length] = 0;
	const char *line = strstr(status, "\nSigPnd:");
	return line != NULL && (strtoull(line + 8, NULL, 16) & (1u << (SIGKILL - 1)));
}

/*
 * A signal was sent to a process that waits for a parked request. Files do not fail with EINTR: a shell that got
 * SIGCHLD would take `test -f x` for false. So only a read of the stream, or a process that is being killed, is let go.
 */
static bool may_be_let_go(const struct need *need, const struct parked *parked)
{
	if (need->kind == NEED_STDIN)
		return true;
	struct fuse_request request = request_of(parked);
	/* 0: the kernel itself, or a process outside of our pid namespace. */
	return request.header->pid != 0 && is_being_killed(request.header->pid);
}

void mirror_interrupted(struct mirror *mirror, uint64_t unique)
{
	for (struct need *need = mirror->needs; need != NULL; need = need->next) {
		for (struct parked **at = &need->first; *at != NULL; at = &(*at)->next) {
			if (request_of(*at).header->unique != unique)
				continue;
			if (may_be_let_go(need, *at))
				answer_interrupted(mirror, need, at);
			else
				mirror->has_interrupted = (*at)->is_interrupted = true;
			return;
		}
	}
}

void mirror_check_interrupted(struct mirror *mirror)
{
	mirror->has_interrupted = false;
	for (struct need *need = mirror->needs; need != NULL; need = need->next) {
		for (struct parked **at = &need->first; *at != NULL;) {
			if ((*at)->is_interrupted && may_be_let_go(need, *at)) {
				answer_interrupted(mirror, need, at);
				continue;
			}
			mirror->has_interrupted |= (*at)->is_interrupted;
			at = &(*at)->next;
		}
	}
}

int mirror_fault(struct mirror *mirror, const struct node *node, const char *why)
{
	AUTO_FREE char *path = node_path(mirror->top, node);
	if (mirror->fault == NULL &&
	    asprintf(&mirror->fault, "read of \"%s%s\": %s", mirror->layer->prefix, path ? path : "", why) < 0)
		mirror->fault = NULL;
	mirror->session.fault = EIO;
	return -EIO;
}

void mirror_free(struct mirror *mirror)
{
	while (mirror->needs != NULL) {
		struct need *need = mirror->needs;
		mirror->needs = need->next;
		for (struct parked *parked = need->first, *next; parked != NULL; parked = next) {
			next = parked->next;
			fuse_answer_error(&mirror->session, request_of(parked).header->unique, EIO);
			free(parked);
		}
		free(need);
	}
	fuse_close(&mirror->session);
	content_close(&mirror->content);
	trace_free(&mirror->trace);
	node_table_free(&mirror->nodes);
	free(mirror->fault);
	mirror->fault = NULL;
}
