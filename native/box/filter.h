/*
 * Which system calls of a job the sandbox is told of: a seccomp filter that lets everything happen, and notifies of what may
 * work otherwise than it would outside: locks, powers that the job lacks, what other processes there are, the network, waiting, and
 * what it could not be given of its caller's context.
 * Pure: notice.c installs it.
 *
 * It is a notice, no protection. What it costs has to be close to nothing for all other calls: those that are allowed whatever
 * their arguments the kernel looks up in a bitmap (5.11).
 */
#ifndef TERMITE_FILTER_H
#define TERMITE_FILTER_H

#include "context.h"

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FILTER_LENGTH_MAX 512

struct filter {
	struct sock_filter code[FILTER_LENGTH_MAX];
	size_t length;
};

struct filter_options {
	uint32_t uid, gid;	/* of the job, as it sees them */
	bool may_use_network;	/* then what it does there is its own business */
	struct context_lack lack; /* what it finds otherwise than its caller would */
};

void filter_make(struct filter *filter, const struct filter_options *options);

#endif
