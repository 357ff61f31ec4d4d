/*
 * The network of jobs that may not use the network: a namespace with nothing but a loopback interface.
 *
 * A job that has sockets has one to itself, so that its counters tell what it sought, and no job talks to another by accident. But
 * making one costs the kernel more than 1 ms, a quarter of all the rest of a sandbox, and hardly any command has sockets. So there
 * is one per system mirror, made by its process, in which jobs begin. When one asks for a socket that another job could find, it is
 * begun anew with a network of its own. In the one that is shared nobody is ever bound to anything, whatever he tries, see filter.h:
 * there are only pairs of connected local sockets, and local sockets that cannot be connected.
 */
#ifndef TERMITE_NETWORK_H
#define TERMITE_NETWORK_H

#include "ledger.h"

/* In a system mirror's process: enters a new one, and notes it in the ledger. 0 or -errno: then jobs make their own. */
int network_make(struct ledger_line *line);

/* A descriptor of the namespace that belongs to the system mirror on the directory, for setns(2); -1: there is none. */
int network_find(const struct ledger *ledger, const char *system_dir);

/* A new network namespace begins with its loopback interface down; programs expect it up. */
void network_raise_loopback(void);

#endif
