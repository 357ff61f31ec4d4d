#include "plan.h"

#include "path.h"

/*
 * metacopy and index off: the upper layer must hold whole files, under their own names. xino: readdir() and stat() must
 * agree about inode numbers, which configure scripts check (D_INO_IN_DIRENT).
 */
#define ROOTFUL_OPTIONS ",redirect_dir=on,metacopy=off,index=off,xino=on,volatile"
/* Without privileges overlayfs keeps its marks in user.overlay.*, and cannot rename directories of the lower layer. */
#define ROOTLESS_OPTIONS ",userxattr,xino=on,volatile"

/* What a job has for itself, whatever it is about. */
static const struct step own[] = {
	{ .kind = STEP_OVERLAY,
	  .source = SCRATCH_LOWER "/" PROJECT_PLACES,
	  .target = SCRATCH_PLACES,
	  .upper = SCRATCH_PLACES_UPPER,
	  .work = SCRATCH_PLACES_WORK },
	{ .kind = STEP_DEVICES, .target = "/dev" },
	{ .kind = STEP_BIND, .source = SCRATCH_PLACES "/dev/shm", .target = "/dev/shm" },
	{ .kind = STEP_PTS, .need = STEP_IF_POSSIBLE, .target = "/dev/pts" },
	{ .kind = STEP_PROC, .target = "/proc" },
	{ .kind = STEP_BIND, .need = STEP_IF_THERE, .source = SCRATCH_PLACES "/tmp", .target = "/tmp" },
	{ .kind = STEP_BIND, .need = STEP_IF_THERE, .source = SCRATCH_PLACES "/var/tmp", .target = "/var/tmp" },
	{ .kind = STEP_BIND, .need = STEP_IF_THERE, .source = SCRATCH_PLACES "/run", .target = "/run" },
};

static void add(struct plan *plan, struct step step)
{
	plan->steps[plan->count++] = step;
}

struct plan plan_make(const struct job_request *request, bool is_rootful)
{
	struct plan plan = { .overlay_options = is_rootful ? ROOTFUL_OPTIONS : ROOTLESS_OPTIONS };
	const char *home = request->home, *project = request->project_root;
	bool has_home = home[0] == '/' && home[1] != 0;
	bool home_is_in_place = has_home && places_contain(home);

	/* A layer over the project would hide it. Before all that may lie below: a later mount covers an earlier one. */
	if (has_home && !home_is_in_place && !path_is_inside(home, project)) {
		add(&plan, (struct step){ .kind = STEP_OVERLAY,
					  .need = STEP_IF_THERE,
					  .source = home,
					  .target = home,
					  .upper = SCRATCH_HOME,
					  .work = SCRATCH_HOME_WORK });
		plan.home = home;
	}
	for (size_t i = 0; i < sizeof own / sizeof *own; i++)
		add(&plan, own[i]);
	if (places_contain(project) || (plan.home != NULL && path_is_inside(project, plan.home)))
		add(&plan, (struct step){ .kind = STEP_DIRECTORY, .target = project });
	add(&plan, (struct step){ .kind = STEP_OVERLAY,
				  .source = SCRATCH_LOWER "/" PROJECT_TREE,
				  .target = project,
				  .upper = SCRATCH_JOB "/" JOB_UPPER,
				  .work = SCRATCH_JOB "/" JOB_WORK });
	return plan;
}
