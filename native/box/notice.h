/*
 * Notices: what the sandbox's init finds out about a running job that may be otherwise than outside. It is told of some system
 * calls (filter.h), looks at the network's counters at the end, and tells the supervisor at once, through a pipe. Most calls then
 * happen; those that the filter refuses, and connect(2) in the network that jobs share, init answers itself.
 *
 * The pipe carries records: u32 NOTICED_* of wire.h, u32 length, that many bytes of text. None is longer than PIPE_BUF.
 */
#ifndef TERMITE_NOTICE_H
#define TERMITE_NOTICE_H

#include "filter.h"
#include "sandbox.h"

/* The one record that the supervisor keeps to itself: the job has to be begun anew with a network of its own. */
#define NOTICE_SOCKET 0

/* Ports of its own machine that the job connected to when nobody listened there. */
#define UNHEARD_MAX 32

/* So often a job may sleep while nothing of it runs. Who does it more often waits for somebody: another command. */
#define SLEEPS_MAX 30

struct notices {
	int listener; /* of the filter; -1: there is none, as where another one is listened to already */
	int pipe;
	enum filter_network network;
	bool is_over; /* the job is going to be ended, and must not get further */
	bool has_sockets, has_objects; /* it has asked for sockets, and for objects of System V IPC */
	unsigned sleep_count;
	uint32_t first_process; /* ids from this one on are of the job's processes */
	uint16_t unheard[UNHEARD_MAX];
	size_t unheard_count;
};

/*
 * In init, before it forks: from then on it and whatever it starts are filtered, so init must make none of the filtered calls.
 * Where nobody can listen the filter only refuses, and jobs do not share a network: does not return then, as the supervisor ends a
 * job that has to be begun anew. Without any filter, because the kernel will not have it, the rest works.
 */
void notices_begin(struct notices *notices, const struct sandbox *sandbox, struct context_lack lack);

/* A call waits at the listener: says what there is to say, and answers it unless the job is going to be ended. */
void notices_serve(struct notices *notices);

/* The command has ended, and something that it started goes on. */
void notices_running(const struct notices *notices);

/* After the job's last process has ended. */
void notices_end(struct notices *notices);

#endif
