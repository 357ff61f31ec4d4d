/*
 * What was observed: per path a set of TRACE_* flags (wire.h), each told once. Kernel caches are on and infinite, so
 * that a mirror is asked once per path: what it was asked is what its users looked at.
 */
#ifndef TERMITE_TRACE_H
#define TERMITE_TRACE_H

#include "frame.h"
#include "node.h"

struct trace {
	struct node **fresh; /* nodes with flags not told yet, in the order of the first one */
	size_t count, capacity;
};

/* 0 or -ENOMEM: then the observation is lost, and the request that made it must fail. */
int trace_note(struct trace *trace, struct node *node, uint32_t flags);

/* Takes flags as told already: nodes that are ours, not the user's. */
static inline void trace_ignore(struct node *node, uint32_t flags)
{
	node->seen |= flags;
	node->told |= flags;
}

/*
 * Puts list<bytes path, u32 flags> of what is fresh into the frame, of the job's own places if `top` is there, else of
 * the rest; from then on it counts as told. Paths are `prefix` and then the path from `top`.
 */
void trace_put(struct trace *trace, struct frame_out *out, const struct node *top, const char *prefix);
void trace_free(struct trace *trace);

#endif
