/*
 * The /dev of jobs, made once per box and bound into each: null, zero, full, random, urandom and tty of the host, the
 * usual links, and empty directories shm and pts for what each job mounts itself. Read-only.
 */
#ifndef TERMITE_DEVICES_H
#define TERMITE_DEVICES_H

/*
 * Mounts it at the directory, which is made when it does not exist and hidden from everybody else by our mount
 * namespace. 0, or -errno after a line on stderr.
 */
int devices_make(const char *directory);

#endif
