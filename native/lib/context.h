/*
 * What a process has from whoever started it besides arguments, environment and files, and can look at: resource limits,
 * ignored and blocked signals, niceness, processors, the name of the machine, its personality. A command finds the same in a
 * sandbox.
 */
#ifndef TERMITE_CONTEXT_H
#define TERMITE_CONTEXT_H

#include "frame.h"

#include <stdbool.h>
#include <stdint.h>

#define CONTEXT_LIMITS 16 /* RLIM_NLIMITS of every architecture, in its order */
#define CONTEXT_NAME_MAX 64
#define CONTEXT_PROCESSOR_WORDS 16 /* of CPU_SETSIZE bits */

struct context {
	struct {
		uint64_t soft, hard; /* UINT64_MAX: none */
	} limits[CONTEXT_LIMITS];
	uint64_t ignored_signals, blocked_signals; /* bit N - 1 for signal N */
	uint32_t personality;			   /* see personality(2) */
	int niceness;				   /* -20 to 19 */
	/* Bit N of word N / 64: may run on processor N. All zero: on any. */
	uint64_t processors[CONTEXT_PROCESSOR_WORDS];
	char host[CONTEXT_NAME_MAX + 1], domain[CONTEXT_NAME_MAX + 1];
};

/* Of this process. */
void context_read(struct context *context);

/*
 * As fields: list<u64 soft, u64 hard>; u64 ignored signals; u64 blocked signals; u32 personality; u32 niceness + 20;
 * list<u64> processors without zeros at the end; bytes host; bytes domain.
 */
void context_put(struct frame_out *out, const struct context *context);
/* 0, or -EBADMSG for what no machine has. */
int context_get(struct frame_in *in, struct context *context);

/* What of a context this process could not get. */
struct context_lack {
	uint32_t limits; /* bit N for limit N, of those that programs look at: it could not be raised so far */
	bool niceness, processors;
};

/*
 * Gives this process what may need a privilege, and does it no harm: the niceness, the processors, and hard limits that are as
 * high as they have to be.
 */
void context_claim(const struct context *context);

/* What is missing after that; the limits become those that can be had. */
struct context_lack context_fit(struct context *context);

/* Gives this process the rest, for what is about to exec. Asks for nothing, as that would be noticed. */
void context_apply(const struct context *context);

#endif
