/*
 * Which mounts a job's file system is made of, in order, as a table. Pure: apply.c makes them.
 *
 * At that point "/" is the job's root, so far only the system mirror, and relative sources lead to the job directory,
 * which the job itself never sees.
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
	const char *places[4];       /* where the job's leftovers are looked for; NULL-terminated */
	const char *home;            /* the home directory that has a layer of its own, or NULL */
};

/* Names in the job directory. `scratch` is a tmpfs of the sandbox; what is in it dies with the job. */
#define JOB_LOWER "lower"
#define JOB_UPPER "upper"
#define JOB_WORK "work"
#define JOB_ROOT "root"
#define JOB_SCRATCH "scratch"
#define JOB_STDOUT "stdout"
#define JOB_STDERR "stderr"
#define SCRATCH_TMP "scratch/tmp"
#define SCRATCH_VAR_TMP "scratch/var-tmp"
#define SCRATCH_RUN "scratch/run"
#define SCRATCH_SHM "scratch/shm"
#define SCRATCH_HOME "scratch/home"
#define SCRATCH_HOME_WORK "scratch/home-work"

struct plan plan_make(const struct job_request *request, bool is_rootful);

#endif
