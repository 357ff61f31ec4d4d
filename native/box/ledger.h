/*
 * What would be left behind if a connection's process were killed: a job directory, a mount. The process writes it
 * down before it makes it; the server cleans up after processes that could not.
 */
#ifndef TERMITE_LEDGER_H
#define TERMITE_LEDGER_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum ledger_kind { LEDGER_FREE, LEDGER_STARTED, LEDGER_JOB, LEDGER_MOUNT };

struct ledger_line {
	pid_t pid;
	enum ledger_kind kind;
	bool has_network; /* the process is in a network namespace of its own, see network.h */
	char path[PATH_MAX];
};

#define LEDGER_LINES 1024 /* connections at once */

struct ledger {
	_Atomic uint32_t job_count; /* begins anywhere */
	struct ledger_line lines[LEDGER_LINES];
};

/* Shared memory. NULL: no memory. */
struct ledger *ledger_new(void);

/* A free line, to be given a pid after the fork; NULL when there are too many connections. */
struct ledger_line *ledger_take(struct ledger *ledger);
struct ledger_line *ledger_find(struct ledger *ledger, pid_t pid);

/* In the connection's process: says what there will be. 0 or -ENAMETOOLONG. */
int ledger_note(struct ledger_line *line, enum ledger_kind kind, const char *path);

/* In the connection's process: it is gone again. */
void ledger_clear(struct ledger_line *line);

/* In the server, after the process ended: undoes what is still noted, and frees the line. May fork. */
void ledger_settle(struct ledger_line *line);

#endif
