/*
 * A seccomp filter of a job's system calls. It notifies the sandbox's init of those that may work otherwise than they would
 * outside: locks, powers that the job lacks, what other processes there are, the network, waiting, and what it could not be given
 * of its caller's context. And it refuses what container runtimes refuse, for being a large piece of the kernel that no build needs,
 * or a way past the filter. Pure: notice.c installs it.
 *
 * A call that is told of and then happens is a notice, no protection: its arguments in memory can change in between. So what
 * keeps jobs apart looks at registers only, or is answered by init in the kernel's place.
 *
 * What it costs has to be close to nothing for all other calls: those that are allowed whatever their arguments the kernel looks
 * up in a bitmap (5.11).
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

/* The network namespace that the job is in, see network.h. */
enum filter_network {
	NETWORK_SHARED, /* with other jobs: none may get a socket that another can find */
	NETWORK_OWN,
	NETWORK_MACHINE, /* it may use the network: then what it does there is its own business */
};

struct filter_options {
	uint32_t uid, gid; /* of the job, as it sees them */
	enum filter_network network;
	bool is_unheard;	  /* nobody can be told, so that all this can do is to refuse */
	struct context_lack lack; /* what it finds otherwise than its caller would */
};

/* Empty on a machine whose calls are not known: it cannot be installed then. */
void filter_make(struct filter *filter, const struct filter_options *options);

#endif
