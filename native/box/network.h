/*
 * The network of jobs that may not use the network: a namespace with nothing but a loopback interface.
 *
 * Making one costs the kernel about 2 ms, as much as all the rest of a sandbox. So there is one per system mirror,
 * made by its process and joined by the jobs: commands of one master share their loopback as they do at home.
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
