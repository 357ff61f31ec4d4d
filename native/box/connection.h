/* One connection of the executor, served by one process: a job, or a system mount. */
#ifndef TERMITE_CONNECTION_H
#define TERMITE_CONNECTION_H

#include "box.h"
#include "frame.h"

struct connection {
	const struct box *box;
	struct ledger_line *ledger;
	int socket;      /* closed by the executor: everything is to end */
	int termination; /* a signalfd of SIGTERM: likewise */
	int refusal;     /* one of SIGNAL_REFUSED: the job's result is of no use any more */
	struct frame_reader reader;
};

/* Reads the first frame and serves what it asks for, until the end. */
void connection_serve(struct connection *connection);

#endif
