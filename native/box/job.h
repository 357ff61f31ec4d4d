/* The supervisor of one job: makes the sandbox, serves its project mirror, collects what it leaves. */
#ifndef TERMITE_JOB_H
#define TERMITE_JOB_H

#include "connection.h"

/* Serves one JOB until the connection ends; then nothing of it is left, neither processes nor the job directory. */
void job_serve(struct connection *connection, struct bytes payload);

#endif
