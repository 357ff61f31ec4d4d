#include "preload.h"

#include "fd.h"
#include "local.h"
#include "say.h"
#include "words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void preload_pass_on(void)
{
	const char *own = local_variable("TERMITE_PRELOAD"), *others = local_variable("LD_PRELOAD");
	if (own == NULL || (others != NULL && strncmp(others, own, strlen(own)) == 0))
		return;
	char *value = malloc(strlen(own) + (others ? strlen(others) : 0) + 2);
	if (value == NULL)
		return;
	strcpy(value, own);
	if (others != NULL)
		strcat(strcat(value, ":"), others);
	setenv("LD_PRELOAD", value, 1);
	free(value);
}

/* All of it as a string, malloc'ed; NULL when it cannot be had. */
static char *read_line(int fd)
{
	struct stat status;
	char *line = fstat(fd, &status) == 0 ? malloc((size_t)status.st_size + 1) : NULL;
	if (line == NULL || pread(fd, line, (size_t)status.st_size, 0) != status.st_size)
		return NULL;
	line[status.st_size] = 0;
	return line;
}

_Noreturn void preload_run_line(const char *descriptor, const char *shell)
{
	int fd = atoi(descriptor);
	char *line = read_line(fd);
	close(fd);
	char **words = line != NULL && strcmp(shell, USUAL_SHELL) == 0 ? words_of_program(line) : NULL;
	/* The master cannot be asked: nobody could be given such a line. What it starts keeps to this machine. */
	setenv("TERMITE_LOCAL", "1", 1);
	const char *callers_shell = local_variable("TERMITE_CALLERS_SHELL");
	if (callers_shell != NULL)
		setenv("SHELL", callers_shell, 1);
	if (words != NULL)
		execvp(words[0], words);
	int error = words == NULL ? E2BIG : errno;
	dprintf(2, "make: %s: %s\n", words == NULL ? shell : words[0], strerror(error));
	_exit(127);
}
