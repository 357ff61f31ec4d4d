#include "trace.h"

#include <errno.h>
#include <stdlib.h>

int trace_note(struct trace *trace, struct node *node, uint32_t flags)
{
	if ((node->seen & flags) == flags)
		return 0;
	if (node->seen == node->told) {
		if (trace->count == trace->capacity) {
			size_t capacity = trace->capacity ? trace->capacity * 2 : 256;
			struct node **grown = realloc(trace->fresh, capacity * sizeof(struct node *));
			if (grown == NULL)
				return -ENOMEM;
			trace->fresh = grown;
			trace->capacity = capacity;
		}
		trace->fresh[trace->count++] = node;
	}
	node->seen |= flags;
	return 0;
}

void trace_put(struct trace *trace, struct frame_out *out, const struct node *top, const char *prefix)
{
	size_t count_at = frame_put_count(out), left = 0;
	uint32_t count = 0;
	for (size_t i = 0; i < trace->count; i++) {
		struct node *node = trace->fresh[i];
		if (node->is_place != top->is_place) {
			trace->fresh[left++] = node;
			continue;
		}
		AUTO_FREE char *path = node_path(top, node);
		if (path == NULL) {
			out->error = -ENOMEM;
			return;
		}
		size_t length = strlen(path), prefix_length = strlen(prefix);
		frame_put_u32(out, (uint32_t)(prefix_length + length));
		frame_put_raw(out, bytes_of(prefix));
		frame_put_raw(out, bytes_of(path));
		frame_put_u32(out, node->seen & ~node->told);
		node->told = node->seen;
		count++;
	}
	frame_set_count(out, count_at, count);
	trace->count = left;
}

void trace_free(struct trace *trace)
{
	free(trace->fresh);
	*trace = (struct trace){ 0 };
}
