/*
 * Which mounts a job's file system is made of, in order, as a table. Pure: apply.c makes them.
 *
 * At that point "/" is the job's root, so far only the system mirror, and relative sources lead to the scratch file
 * system, of which the job sees only what is bound.
 */
#ifndef TERMITE_PLAN_H
#define TERMITE_PLAN_H

#include "request.h"

#include <stdbool.h>

enum step_kind {
	STEP_DEVICES,   /* the box's /dev, with what is mounted in it */
	STEP_BIND,      /* a directory of the scratch file system */
	STEP_PROC,
	STEP_PTS,
	STEP_OVERLAY,   /* lower `source`, upper and work directory `upper` and `work` */
	STEP_DIRECTORY, /* makes the directory and its parents, owned by the job */
};

enum step_need {
	STEP_REQUIRED,
	STEP_IF_THERE, /* skipped when there is no such directory in the job's file system */
	STEP_IF_POSSIBLE,
};

struct step {
	enum step_kind kind;
	enum step_need need;
	const char *source, *target; /* belong to the request, or are constant */
	const char *upper, *work;
};

#define PLAN_STEPS_MAX 16

struct plan {
	struct step steps[PLAN_STEPS_MAX];
	size_t count;
	const char *overlay_options; /* appended to those with the directories */
	const char *home;            /* the home directory that has a layer of its own, or NULL */
};

/* Names in the job directory. */
#define JOB_UPPER "upper"
#define JOB_WORK "work"
#define JOB_CONTENT "content" /* what was written, see harvest.h */
#define JOB_STDOUT "stdout"
#define JOB_STDERR "stderr"

/* Names in the scratch file system, a tmpfs of the sandbox: what is in it dies with the job. */
#define SCRATCH_JOB "job"     /* the job directory, see storage.h */
#define SCRATCH_LOWER "lower" /* the project mirror */
#define SCRATCH_ROOT "root"   /* the system mirror */
#define SCRATCH_PLACES "places" /* the job's own places, see places.h: an overlay of the next two on the mirror's */
#define SCRATCH_PLACES_UPPER "places-upper"
#define SCRATCH_PLACES_WORK "places-work"
#define SCRATCH_HOME "home"
#define SCRATCH_HOME_WORK "home-work"

struct plan plan_make(const struct job_request *request, bool is_rootful);

#endif
