/* Finds the program that a link to us stands for. */
#ifndef TERMITE_LAUNCHER_SEARCH_H
#define TERMITE_LAUNCHER_SEARCH_H

struct search {
	char *program; /* the first file of that name that can be executed and is not the avoided one; NULL: there is none */
	char *path;    /* $PATH without the folders where the name leads to the avoided file */
};

/*
 * Looks for a name in a $PATH. `avoid` is a file, symbolic links followed. Both results are malloc'ed; 0 or -errno, with
 * neither of them.
 */
int search_behind(const char *name, const char *path, const char *avoid, struct search *result);

#endif
