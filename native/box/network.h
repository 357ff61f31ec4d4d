/*
 * The network of a job that may not use the network: a namespace with nothing but a loopback interface, for this job alone. So
 * its counters tell whether the job sought anything, and no job talks to another by accident.
 *
 * Making one costs the kernel about 1 ms, a quarter of all the rest of a sandbox. So the process that waits for the next job makes it
 * while it waits.
 */
#ifndef TERMITE_NETWORK_H
#define TERMITE_NETWORK_H

/*
 * A descriptor of a new one, for setns(2), with its loopback up; or -errno. Without changing our own namespace: without
 * privileges there would be no way back.
 */
int network_make(void);

/* A new network namespace begins with its loopback interface down; programs expect it up. */
void network_raise_loopback(void);

#endif
