/* Makes the job's file system and gives up all privileges. */
#include "fd.h"
#include "id_map.h"
#include "network.h"
#include "pids.h"
#include "sandbox.h"
#include "template.h"
#include "wire.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* mount(2) takes at most a page of options. */
#define OPTIONS_MAX 4096

/* Further directories of the scratch file system; all belong to the job, which sees only those that are bound. */
static const struct {
	const char *path;
	mode_t mode;
} scratch_directories[] = {
	{ SCRATCH_LOWER, 0700 },
	{ SCRATCH_ROOT, 0700 },
	{ SCRATCH_PLACES, 0700 },
	{ SCRATCH_PLACES_WORK, 0700 },
	{ SCRATCH_PLACES_UPPER, 0755 },
	/* Made here once for all, instead of by each first file in one of them. */
	{ SCRATCH_PLACES_UPPER "/tmp", 01777 },
	{ SCRATCH_PLACES_UPPER "/var", 0755 },
	{ SCRATCH_PLACES_UPPER "/var/tmp", 01777 },
	{ SCRATCH_PLACES_UPPER "/run", 0755 },
	{ SCRATCH_PLACES_UPPER "/dev", 0755 },
	{ SCRATCH_PLACES_UPPER "/dev/shm", 01777 },
	{ SCRATCH_HOME, 0755 },
	{ SCRATCH_HOME_WORK, 0700 },
};

/* Attaches it to a directory of the template and goes there. */
static void attach_scratch(const struct sandbox *sandbox)
{
	if (chdir(sandbox->box->template) < 0)
		sandbox_fail(sandbox, "chdir \"%s\": %s", sandbox->box->template, strerror(errno));
	if (move_mount(sandbox->storage->scratch, "", AT_FDCWD, TEMPLATE_SCRATCH, MOVE_MOUNT_F_EMPTY_PATH) < 0 ||
	    chdir(TEMPLATE_SCRATCH) < 0)
		sandbox_fail(sandbox, "move_mount of tmpfs to \"%s\": %s", TEMPLATE_SCRATCH, strerror(errno));
	for (size_t i = 0; i < sizeof scratch_directories / sizeof *scratch_directories; i++) {
		const char *path = scratch_directories[i].path;
		if (mkdir(path, scratch_directories[i].mode) < 0 || chown(path, sandbox->uid, sandbox->gid) < 0)
			sandbox_fail(sandbox, "mkdir \"%s\": %s", path, strerror(errno));
	}
	const char *job_dir = sandbox->request->job_dir;
	if (sandbox->storage->memory_bytes == 0 && mount(job_dir, SCRATCH_JOB, NULL, MS_BIND, NULL) < 0)
		sandbox_fail(sandbox, "bind of \"%s\": %s", job_dir, strerror(errno));
}

static void attach_project(const struct sandbox *sandbox)
{
	if (move_mount(sandbox->project, "", AT_FDCWD, SCRATCH_LOWER, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		sandbox_fail(sandbox, "move_mount of the project to \"%s\": %s", SCRATCH_LOWER, strerror(errno));
}

static void open_input(struct sandbox *sandbox)
{
	const char *path = sandbox->request->flags & JOB_STDIN ? SCRATCH_LOWER "/" PROJECT_STDIN : "/dev/null";
	sandbox->input = open(path, O_RDONLY | O_CLOEXEC);
	if (sandbox->input < 0)
		sandbox_fail(sandbox, "open \"%s\": %s", path, strerror(errno));
}

static void enter_network(const struct sandbox *sandbox)
{
	if (sandbox->network >= 0 && setns(sandbox->network, CLONE_NEWNET) < 0)
		sandbox_fail(sandbox, "setns of the network: %s", strerror(errno));
	if (sandbox->network < 0 && !(sandbox->request->flags & JOB_NETWORK))
		network_raise_loopback();
}

static void escape(char *to, const char *from)
{
	for (; *from; from++) {
		if (strchr("\\,:", *from))
			*to++ = '\\';
		*to++ = *from;
	}
	*to = 0;
}

static void mount_overlay(const struct sandbox *sandbox, const struct step *step)
{
	size_t length = strlen(step->source);
	AUTO_FREE char *lower = malloc(2 * length + 1);
	AUTO_FREE char *options = malloc(OPTIONS_MAX);
	if (lower == NULL || options == NULL)
		sandbox_fail(sandbox, "out of memory");
	escape(lower, step->source);
	int count = snprintf(options, OPTIONS_MAX, "lowerdir=%s,upperdir=%s,workdir=%s%s", lower, step->upper,
			     step->work, sandbox->plan->overlay_options);
	if (count >= OPTIONS_MAX)
		sandbox_fail(sandbox, "mount of overlay on \"%s\": the path is too long", step->target);
	if (mount("termite", step->target, "overlay", MS_NOSUID | MS_NODEV, options) < 0)
		sandbox_fail(sandbox, "mount of overlay on \"%s\" with \"%s\": %s", step->target, options,
			     strerror(errno));
}

/* The root of an overlay looks as its upper directory does; that of the project was prepared by the supervisor. */
static void prepare_home(const struct sandbox *sandbox, const struct step *step)
{
	struct stat st;
	if (stat(step->target, &st) < 0 || chmod(step->upper, st.st_mode & 07777) < 0)
		sandbox_fail(sandbox, "stat of home \"%s\": %s", step->target, strerror(errno));
}

static void make_directories(const struct sandbox *sandbox, const char *path)
{
	AUTO_FREE char *prefix = strdup(path);
	if (prefix == NULL)
		sandbox_fail(sandbox, "out of memory");
	for (char *end = prefix; end != NULL;) {
		end = strchr(end + 1, '/');
		if (end != NULL)
			*end = 0;
		if (mkdir(prefix, 0755) == 0)
			(void)!chown(prefix, sandbox->uid, sandbox->gid);
		else if (errno != EEXIST)
			sandbox_fail(sandbox, "mkdir \"%s\": %s", prefix, strerror(errno));
		if (end != NULL)
			*end = '/';
	}
}

static bool is_there(const char *path)
{
	AUTO_CLOSE int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd >= 0;
}

/* The calls that are mount(2) and nothing else, as a table. */
static const struct {
	const char *source, *type, *options;
	unsigned long flags;
} simple_mounts[] = {
	[STEP_BIND] = { .flags = MS_BIND },
	[STEP_PROC] = { "proc", "proc", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC },
	[STEP_PTS] = { "devpts", "devpts", "newinstance,ptmxmode=0666,mode=0620", MS_NOSUID | MS_NOEXEC },
};

static void apply_step(const struct sandbox *sandbox, const struct step *step, int scratch, int devices)
{
	if (step->need == STEP_IF_THERE && !is_there(step->target))
		return;
	switch (step->kind) {
	case STEP_DIRECTORY:
		make_directories(sandbox, step->target);
		return;
	case STEP_OVERLAY:
		if (step->need == STEP_IF_THERE)
			prepare_home(sandbox, step);
		mount_overlay(sandbox, step);
		return;
	case STEP_DEVICES:
		if (fchdir(devices) < 0 || mount(".", step->target, NULL, MS_BIND | MS_REC, NULL) < 0 ||
		    fchdir(scratch) < 0)
			sandbox_fail(sandbox, "bind of devices on \"%s\": %s", step->target, strerror(errno));
		return;
	case STEP_BIND:
	case STEP_PROC:
	case STEP_PTS:
		break;
	}
	const char *source = step->source ? step->source : simple_mounts[step->kind].source;
	if (mount(source, step->target, simple_mounts[step->kind].type, simple_mounts[step->kind].flags,
		  simple_mounts[step->kind].options) < 0 &&
	    step->need != STEP_IF_POSSIBLE)
		sandbox_fail(sandbox, "mount of \"%s\" on \"%s\": %s", source, step->target, strerror(errno));
}

/*
 * Privileges: all capabilities over our namespaces. Until the pivot paths are those of the box; from then on "/" is
 * the job's root and the old tree is reached only relative to descriptors, until it is detached.
 */
void apply_mounts(struct sandbox *sandbox)
{
	const struct job_request *request = sandbox->request;
	umask(0);
	/* Names are of the job's own UTS namespace; a machine without one has none here either. */
	(void)!sethostname(request->context.host, strlen(request->context.host));
	(void)!setdomainname(request->context.domain, strlen(request->context.domain));
	enter_network(sandbox);
	attach_scratch(sandbox);
	AUTO_CLOSE int scratch = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	AUTO_CLOSE int devices = open("../" TEMPLATE_DEVICES, O_PATH | O_DIRECTORY | O_CLOEXEC);
	AUTO_CLOSE int old_root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (scratch < 0 || devices < 0 || old_root < 0)
		sandbox_fail(sandbox, "open of the scratch file system: %s", strerror(errno));
	attach_project(sandbox);
	open_input(sandbox);
	sandbox->places = open(SCRATCH_PLACES_UPPER, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (sandbox->plan->home != NULL)
		sandbox->home = open(SCRATCH_HOME, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (mount(request->system_dir, SCRATCH_ROOT, NULL, MS_BIND, NULL) < 0)
		sandbox_fail(sandbox, "bind of \"%s\": %s", request->system_dir, strerror(errno));
	/* pivot_root(2), "pivot_root(".", ".")": the old root then lies on top of the new one, hidden by no path. */
	if (chdir(SCRATCH_ROOT) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || fchdir(scratch) < 0)
		sandbox_fail(sandbox, "pivot_root to \"%s\": %s", request->system_dir, strerror(errno));
	for (size_t i = 0; i < sandbox->plan->count; i++)
		apply_step(sandbox, &sandbox->plan->steps[i], scratch, devices);
	pids_begin(sandbox->number);
	/* A fresh /proc was only allowed while the old one was visible, so the old tree goes last. */
	if (fchdir(old_root) < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		sandbox_fail(sandbox, "umount of the old root: %s", strerror(errno));
	if (chdir(request->cwd) < 0)
		sandbox_fail(sandbox, "chdir \"%s\": %s", request->cwd, strerror(errno));
}

/*
 * What a caller who is root expects of his own files: to write to read-only ones, and to change the mode of any. They hold in
 * the job's user namespace alone, so for files of the one user that is known in there, and for nothing else.
 */
#define ROOTS_CAPABILITIES (1u << CAP_DAC_OVERRIDE | 1u << CAP_FOWNER | 1u << CAP_FSETID)

static void drop_capabilities(const struct sandbox *sandbox)
{
	const uint32_t kept = sandbox->request->uid == 0 ? ROOTS_CAPABILITIES : 0;
	/* Bounding set: nothing that is executed can give one back. Ends with the first that the kernel does not know. */
	for (unsigned long capability = 0;; capability++) {
		bool is_kept = capability < 32 && (kept & 1u << capability);
		if (!is_kept && prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0)
			break;
	}
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { { .effective = kept, .permitted = kept } };
	if (syscall(SYS_capset, &header, data) < 0)
		sandbox_fail(sandbox, "capset: %s", strerror(errno));
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		sandbox_fail(sandbox, "prctl of no_new_privs: %s", strerror(errno));
}

/* Privileges: as above; at the end none at all, or root's over his own files, and no way to get another back. */
void apply_identity(const struct sandbox *sandbox)
{
	const struct job_request *request = sandbox->request;
	context_claim(&request->context);
	/* Not possible when we are in a user namespace that has given setgroups(2) up. */
	if (setgroups(0, NULL) < 0 && sandbox->box->is_rootful)
		sandbox_fail(sandbox, "setgroups: %s", strerror(errno));
	if (setresgid(sandbox->gid, sandbox->gid, sandbox->gid) < 0 ||
	    setresuid(sandbox->uid, sandbox->uid, sandbox->uid) < 0)
		sandbox_fail(sandbox, "setresuid to %u:%u: %s", sandbox->uid, sandbox->gid, strerror(errno));
	/* The change of ids made our files in /proc root's, but the maps have to be written. */
	if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
		sandbox_fail(sandbox, "prctl of dumpable: %s", strerror(errno));
	/* After the mounts: so they belong to a namespace in which the job has no capability, and are out of its reach. */
	if (unshare(CLONE_NEWUSER) < 0)
		sandbox_fail(sandbox, "unshare of the user namespace: %s", strerror(errno));
	const char *path;
	int failed = id_map(request->uid, sandbox->uid, request->gid, sandbox->gid, &path);
	if (failed)
		sandbox_fail(sandbox, "write \"%s\": %s", path, strerror(-failed));
	drop_capabilities(sandbox);
	/* pid 1 runs as the job's user: it must not be traced by the job, or lend it its descriptors. */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	sandbox_follow_supervisor(sandbox);
}
