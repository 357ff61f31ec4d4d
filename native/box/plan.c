#include "plan.h"

#include "path.h"

/*
 * metacopy and index off: the upper layer must hold whole files, under their own names. xino: readdir() and stat() must
 * agree about inode numbers, which configure scripts check (D_INO_IN_DIRENT).
 */
#define ROOTFUL_OPTIONS ",redirect_dir=on,metacopy=off,index=off,xino=on,volatile"
/* Without privileges overlayfs keeps its marks in user.overlay.*, and cannot rename directories of the lower layer. */
#define ROOTLESS_OPTIONS ",userxattr,xino=on,volatile"

static const struct step temporary[] = {
	{ .kind = STEP_BIND, .need = STEP_IF_THERE, .source = SCRATCH_TMP, .target = "/tmp" },
	{ .kind = STEP_BIND, .need = STEP_IF_THERE, .source = SCRATCH_VAR_TMP, .target = "/var/tmp" },
	{ .kind = STEP_BIND, .need = STEP_IF_THERE, .source = SCRATCH_RUN, .target = "/run" },
};
#define TEMPORARY_COUNT (sizeof temporary / sizeof *temporary)

static const struct step machine[] = {
	{ .kind = STEP_DEVICES, .target = "/dev" },
	{ .kind = STEP_BIND, .source = SCRATCH_SHM, .target = "/dev/shm" },
	{ .kind = STEP_PTS, .need = STEP_IF_POSSIBLE, .target = "/dev/pts" },
	{ .kind = STEP_PROC, .target = "/proc" },
};

static bool is_temporary(const char *path)
{
	for (size_t i = 0; i < TEMPORARY_COUNT; i++) {
		if (path_is_inside(path, temporary[i].target))
			return true;
	}
	return false;
}

static void add(struct plan *plan, struct step step)
{
	plan->steps[plan->count++] = step;
}

struct plan plan_make(const struct job_request *request, bool is_rootful)
{
	struct plan plan = { .overlay_options = is_rootful ? ROOTFUL_OPTIONS : ROOTLESS_OPTIONS };
	const char *home = request->home, *project = request->project_root;
	bool has_home = home[0] == '/' && home[1] != 0;
	bool home_is_temporary = has_home && is_temporary(home);

	/* A layer over the project would hide it. Before all that may lie below: a later mount covers an earlier one. */
	if (has_home && !home_is_temporary && !path_is_inside(home, project)) {
		add(&plan, (struct step){ .kind = STEP_OVERLAY,
					  .need = STEP_IF_THERE,
					  .source = home,
					  .target = home,
					  .upper = SCRATCH_HOME,
					  .work = SCRATCH_HOME_WORK });
		plan.home = home;
	}
	for (size_t i = 0; i < sizeof machine / sizeof *machine; i++)
		add(&plan, machine[i]);
	for (size_t i = 0; i < TEMPORARY_COUNT; i++) {
		add(&plan, temporary[i]);
		plan.places[i] = temporary[i].target;
	}
	if (home_is_temporary)
		add(&plan, (struct step){ .kind = STEP_DIRECTORY, .target = home });
	if (is_temporary(project) || (plan.home != NULL && path_is_inside(project, plan.home)))
		add(&plan, (struct step){ .kind = STEP_DIRECTORY, .target = project });
	add(&plan, (struct step){ .kind = STEP_OVERLAY,
				  .source = SCRATCH_LOWER "/" PROJECT_TREE,
				  .target = project,
				  .upper = SCRATCH_JOB "/" JOB_UPPER,
				  .work = SCRATCH_JOB "/" JOB_WORK });
	return plan;
}
