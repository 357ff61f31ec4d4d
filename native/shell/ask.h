/* The conversation with the master: one command, from the question to its end. */
#ifndef TERMITE_SHELL_ASK_H
#define TERMITE_SHELL_ASK_H

#include <stdbool.h>

/*
 * Connects to $TERMITE_SOCKET, or else to the master of the nearest project among cwd and the directories above it. The
 * descriptor, close-on-exec and non-blocking, or -1 when nobody answers there.
 */
int ask_connect(const char *socket_path, const char *cwd);

struct ask_question {
	int argument_count;
	char **arguments;   /* without argv[0] */
	char **environment; /* ends with NULL */
	const char *shell, *cwd;
	unsigned flags; /* RUN_* of wire.h */
};

struct ask_answer {
	enum ask_end {
		ASK_RUN_LOCALLY,     /* the master wants it so, value is LOCAL_* flags; our environment is now the command's */
		ASK_MASTER_GONE,     /* nothing has been applied: run it locally */
		ASK_DIED_COMMITTING, /* the outputs may be half applied: the command must fail */
		ASK_EXITED,          /* value is the exit status */
		ASK_KILLED,          /* value is the signal: of the command, or one that we were sent */
	} end;
	int value;
};

/*
 * Asks and does what the master says until the command has ended: copies output, forwards stdin when wanted, cancels on
 * SIGINT, SIGTERM, SIGHUP and SIGQUIT unless they were ignored from the start. These have their former dispositions
 * again afterwards; a signal that came in time is in the answer, never lost. Owns the descriptor.
 */
struct ask_answer ask_master(int fd, const struct ask_question *question);

#endif
