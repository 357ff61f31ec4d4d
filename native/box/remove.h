/* Removing what a job left. */
#ifndef TERMITE_REMOVE_H
#define TERMITE_REMOVE_H

/*
 * Removes a path and everything below it, following no links. 0, also when there is nothing; else the -errno of the
 * first thing that could not be removed, after removing what could.
 */
int remove_tree(const char *path);

#endif
