#include "noticed.h"

#include "fd.h"
#include "notice.h"
#include "path.h"
#include "places.h"
#include "wire.h"

#include <limits.h>
#include <stdlib.h>

#define HEAD_LENGTH (2 * sizeof(uint32_t))

/* Most records end the job. What is more than this comes from something that is not the init that we have started. */
#define NOTICED_MAX ((size_t)1 << 20)

int noticed_read(struct noticed *noticed, int pipe)
{
	if (noticed->length > NOTICED_MAX)
		return -EMSGSIZE;
	unsigned char *grown = realloc(noticed->data, noticed->length + PIPE_BUF);
	if (grown == NULL)
		return -ENOMEM;
	noticed->data = grown;
	ssize_t got = RETRY_EINTR(read(pipe, grown + noticed->length, PIPE_BUF));
	if (got <= 0)
		return got == 0 ? 0 : -errno;
	noticed->length += (size_t)got;
	return 1;
}

static bool is_seen_by_others(struct project *project, const char *project_root, const char *path)
{
	const char *below = path_below(path, project_root);
	return below != NULL ? project_has(project, below) : !places_contain(path);
}

/* Whether it is a limit. */
static bool counts(struct project *project, const char *project_root, uint32_t kind, struct bytes text)
{
	if (kind == NOTICE_SOCKET)
		return false;
	AUTO_FREE char *path = kind == NOTICED_LOCK && text.length > 0 ? bytes_to_string(text) : NULL;
	return path == NULL || is_seen_by_others(project, project_root, path);
}

static bool is_fatal(uint32_t kind)
{
	return kind != NOTICED_LEFT && kind != NOTICED_RUNNING;
}

bool noticed_judge(struct noticed *noticed, struct project *project, const char *project_root)
{
	bool is_over = false;
	while (noticed->length - noticed->taken >= HEAD_LENGTH) {
		unsigned char *record = noticed->data + noticed->taken;
		uint32_t head[2];
		memcpy(head, record, sizeof head);
		size_t length = HEAD_LENGTH + head[1];
		noticed->needs_network |= head[0] == NOTICE_SOCKET;
		if (noticed->length - noticed->taken < length)
			break;
		if (counts(project, project_root, head[0], (struct bytes){ record + HEAD_LENGTH, head[1] })) {
			noticed->taken += length;
			noticed->count++;
			is_over |= is_fatal(head[0]);
			continue;
		}
		noticed->length -= length;
		memmove(record, record + length, noticed->length - noticed->taken);
	}
	return is_over || noticed->needs_network;
}

int noticed_add(struct noticed *noticed, uint32_t kind, const char *text)
{
	uint32_t head[2] = { kind, (uint32_t)strlen(text) };
	size_t length = HEAD_LENGTH + head[1];
	unsigned char *grown = realloc(noticed->data, noticed->length + length);
	if (grown == NULL)
		return -ENOMEM;
	noticed->data = grown;
	unsigned char *record = grown + noticed->taken;
	memmove(record + length, record, noticed->length - noticed->taken);
	memcpy(record, head, sizeof head);
	memcpy(record + HEAD_LENGTH, text, head[1]);
	noticed->length += length;
	noticed->taken += length;
	noticed->count++;
	return 0;
}

void noticed_put(const struct noticed *noticed, struct frame_out *out)
{
	frame_set_count(out, frame_put_count(out), noticed->count);
	for (size_t at = 0; at < noticed->taken;) {
		uint32_t head[2];
		memcpy(head, noticed->data + at, sizeof head);
		frame_put_u32(out, head[0]);
		frame_put_bytes(out, (struct bytes){ noticed->data + at + HEAD_LENGTH, head[1] });
		at += HEAD_LENGTH + head[1];
	}
}

void noticed_free(struct noticed *noticed)
{
	free(noticed->data);
	*noticed = (struct noticed){ 0 };
}
