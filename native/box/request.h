/* A JOB as it arrived. Pure. */
#ifndef TERMITE_REQUEST_H
#define TERMITE_REQUEST_H

#include "bytes.h"
#include "context.h"
#include "digest.h"
#include "project.h"

#include <stdint.h>

struct job_request {
	char *job_dir, *system_dir, *project_root, *cwd, *home; /* home may be ""; paths are clean and absolute */
	struct digest root;
	char **argv, **env; /* NULL-terminated */
	uint32_t umask, uid, gid, host_uid, host_gid;
	uint32_t flags; /* JOB_*, wire.h */
	uint64_t timeout_ms;
	uint64_t memory_bytes; /* what the layer may take in memory; 0: it is on disk */
	struct project_directory *directories;
	size_t directory_count;
	struct context context;
	struct shown_directory *shown; /* in the job's own places */
	size_t shown_count;
	unsigned char *payload; /* a copy, into which digests and directories point */
};

/* 0, -EBADMSG or -ENOMEM; *field then names what was wrong. End with request_free() in any case. */
int request_parse(struct job_request *request, struct bytes payload, const char **field);
void request_free(struct job_request *request);

#endif
