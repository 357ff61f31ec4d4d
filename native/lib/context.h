/*
 * What a process has from whoever started it besides arguments, environment and files, and can look at: resource limits,
 * ignored signals, the name of the machine, its personality. A command finds the same in a sandbox.
 */
#ifndef TERMITE_CONTEXT_H
#define TERMITE_CONTEXT_H

#include "frame.h"

#include <stdint.h>

#define CONTEXT_LIMITS 16 /* RLIM_NLIMITS of every architecture, in its order */
#define CONTEXT_NAME_MAX 64

struct context {
	struct {
		uint64_t soft, hard; /* UINT64_MAX: none */
	} limits[CONTEXT_LIMITS];
	uint64_t ignored_signals; /* bit N - 1 for signal N */
	uint32_t personality;     /* see personality(2) */
	char host[CONTEXT_NAME_MAX + 1], domain[CONTEXT_NAME_MAX + 1];
};

/* Of this process. */
void context_read(struct context *context);

/* As fields: list<u64 soft, u64 hard>; u64 ignored signals; u32 personality; bytes host; bytes domain. */
void context_put(struct frame_out *out, const struct context *context);
/* 0, or -EBADMSG for what no machine has. */
int context_get(struct frame_in *in, struct context *context);

/* Gives this process the limits, as far as they may be raised, the signals and the personality; for what is about to exec. */
void context_apply(const struct context *context);

#endif
