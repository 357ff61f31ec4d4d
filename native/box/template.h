/*
 * What every sandbox begins with, made once per box on a small read-only tmpfs:
 *
 *     dev/      the /dev of jobs: null, zero, full, random, urandom and tty of the host, the usual links, and empty
 *               directories shm and pts for what each job mounts itself
 *     scratch/  where each sandbox mounts its scratch file system, in its own mount namespace
 */
#ifndef TERMITE_TEMPLATE_H
#define TERMITE_TEMPLATE_H

#define TEMPLATE_DEVICES "dev"
#define TEMPLATE_SCRATCH "scratch"

/*
 * Mounts it at the directory, which is made when it does not exist and hidden from everybody else by our mount
 * namespace. 0, or -errno after a line on stderr.
 */
int template_make(const char *directory);

#endif
