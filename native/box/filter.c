#include "filter.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define NATIVE AUDIT_ARCH_RISCV64
#elif defined(__powerpc64__) && defined(__LITTLE_ENDIAN__)
#define NATIVE AUDIT_ARCH_PPC64LE
#elif defined(__s390x__)
#define NATIVE AUDIT_ARCH_S390X
#endif

/* Numbers of the other kind of x32 programs; they have locks of the same kind, but are hardly ever seen. */
#define X32_BIT 0x40000000

/* What the arguments of a call have to be like for us to be told. */
enum condition {
	ALWAYS,
	LOCKS,	     /* args[first] is a command of fcntl(2) for locks */
	NOT_UNLOCK,  /* args[first] has not LOCK_UN */
	USERS,	     /* one of args[first..last] is neither -1 nor the job's uid */
	GROUPS,	     /* the same for its gid */
	OWNERS,	     /* args[first] and args[last] are a uid and a gid of which one is somebody else's */
	GROUP_OWNER, /* args[last] is a gid of somebody else's */
	DEVICE,	     /* args[first] is the mode of a device */
	NAMESPACES,  /* args[first] has flags for namespaces, and none for a user namespace */
	NOT_LOCAL,   /* args[first] is the family of a socket, but AF_UNIX */
	PROCESS,     /* args[first] names a certain process or group; init itself ends all with -1 */
	NOTHING,     /* args[first] is 0: of descriptors to wait for */
	LACKING,     /* args[first] is a resource whose limit is not the caller's, and args[last] says where to put it */
	KEYED,	     /* args[first] is not 0, that is, IPC_PRIVATE */
};

/* Whom it is about: what an ordinary user may not do anyway fails in the sandbox as it does outside. */
enum subject { ANYBODY, ROOT, ORDINARY, WITHOUT_NETWORK, WITHOUT_LIMITS, WITHOUT_NICENESS, WITHOUT_PROCESSORS };

struct rule {
	uint32_t call;
	enum condition condition;
	enum subject subject;
	unsigned first, last;
};

/* The calls that are made most come first, as those that are not always allowed go through all before them. */
static const struct rule rules[] = {
	{ SYS_fcntl, LOCKS, ANYBODY, 1, 1 },
#ifdef SYS_flock
	{ SYS_flock, NOT_UNLOCK, ANYBODY, 1, 1 },
#endif
	{ SYS_kill, PROCESS, ANYBODY, 0, 0 },
	{ SYS_pidfd_open, ALWAYS, ANYBODY, 0, 0 },
	{ SYS_socket, NOT_LOCAL, WITHOUT_NETWORK, 0, 0 },
	{ SYS_connect, ALWAYS, WITHOUT_NETWORK, 0, 0 },
	{ SYS_bind, ALWAYS, WITHOUT_NETWORK, 0, 0 },
/* SYS_nanosleep is not among them: the run time of Go calls it all the time, and nothing else does where there is glibc 2.31. */
	{ SYS_clock_nanosleep, ALWAYS, ANYBODY, 0, 0 },
#ifdef SYS_select
	{ SYS_select, NOTHING, ANYBODY, 0, 0 },
#endif
	{ SYS_pselect6, NOTHING, ANYBODY, 0, 0 },
#ifdef SYS_poll
	{ SYS_poll, NOTHING, ANYBODY, 1, 1 },
#endif
	{ SYS_ppoll, NOTHING, ANYBODY, 1, 1 },
	{ SYS_shmget, KEYED, ANYBODY, 0, 0 },
	{ SYS_semget, KEYED, ANYBODY, 0, 0 },
	{ SYS_msgget, KEYED, ANYBODY, 0, 0 },
	{ SYS_mq_open, ALWAYS, ANYBODY, 0, 0 },

/* An ordinary user may give a file to another group that he is in; the sandbox knows just one. */
#ifdef SYS_chown
	{ SYS_chown, OWNERS, ROOT, 1, 2 },
	{ SYS_chown, GROUP_OWNER, ORDINARY, 1, 2 },
	{ SYS_lchown, OWNERS, ROOT, 1, 2 },
	{ SYS_lchown, GROUP_OWNER, ORDINARY, 1, 2 },
#endif
	{ SYS_fchown, OWNERS, ROOT, 1, 2 },
	{ SYS_fchown, GROUP_OWNER, ORDINARY, 1, 2 },
	{ SYS_fchownat, OWNERS, ROOT, 2, 3 },
	{ SYS_fchownat, GROUP_OWNER, ORDINARY, 2, 3 },
#ifdef SYS_mknod
	{ SYS_mknod, DEVICE, ROOT, 1, 1 },
#endif
	{ SYS_mknodat, DEVICE, ROOT, 2, 2 },
	{ SYS_setxattr, ALWAYS, ROOT, 0, 0 },
	{ SYS_lsetxattr, ALWAYS, ROOT, 0, 0 },
	{ SYS_fsetxattr, ALWAYS, ROOT, 0, 0 },

	{ SYS_setuid, USERS, ROOT, 0, 0 },
	{ SYS_setreuid, USERS, ROOT, 0, 1 },
	{ SYS_setresuid, USERS, ROOT, 0, 2 },
	{ SYS_setgid, GROUPS, ROOT, 0, 0 },
	{ SYS_setregid, GROUPS, ROOT, 0, 1 },
	{ SYS_setresgid, GROUPS, ROOT, 0, 2 },
	{ SYS_setgroups, ALWAYS, ROOT, 0, 0 },

	/* Within a user namespace of one's own also without privileges. */
	{ SYS_mount, ALWAYS, ANYBODY, 0, 0 },
	{ SYS_umount2, ALWAYS, ANYBODY, 0, 0 },
	{ SYS_pivot_root, ALWAYS, ANYBODY, 0, 0 },
	{ SYS_chroot, ALWAYS, ANYBODY, 0, 0 },
	{ SYS_setns, ALWAYS, ANYBODY, 0, 0 },
	{ SYS_fsopen, ALWAYS, ANYBODY, 0, 0 },
	{ SYS_move_mount, ALWAYS, ANYBODY, 0, 0 },
	{ SYS_unshare, NAMESPACES, ROOT, 0, 0 },

#ifdef SYS_getrlimit
	{ SYS_getrlimit, LACKING, WITHOUT_LIMITS, 0, 1 },
#endif
	{ SYS_prlimit64, LACKING, WITHOUT_LIMITS, 1, 3 },
	{ SYS_getpriority, ALWAYS, WITHOUT_NICENESS, 0, 0 },
	{ SYS_sched_getaffinity, ALWAYS, WITHOUT_PROCESSORS, 0, 0 },

	{ SYS_perf_event_open, ALWAYS, ANYBODY, 0, 0 },
	{ SYS_bpf, ALWAYS, ANYBODY, 0, 0 },
	{ SYS_setpriority, ALWAYS, ROOT, 0, 0 },
	{ SYS_sethostname, ALWAYS, ROOT, 0, 0 },
	{ SYS_setdomainname, ALWAYS, ROOT, 0, 0 },
	{ SYS_settimeofday, ALWAYS, ROOT, 0, 0 },
	{ SYS_clock_settime, ALWAYS, ROOT, 0, 0 },
	{ SYS_swapon, ALWAYS, ROOT, 0, 0 },
	{ SYS_swapoff, ALWAYS, ROOT, 0, 0 },
	{ SYS_init_module, ALWAYS, ROOT, 0, 0 },
	{ SYS_finit_module, ALWAYS, ROOT, 0, 0 },
	{ SYS_delete_module, ALWAYS, ROOT, 0, 0 },
	{ SYS_quotactl, ALWAYS, ROOT, 0, 0 },
	{ SYS_syslog, ALWAYS, ROOT, 0, 0 },
	{ SYS_reboot, ALWAYS, ROOT, 0, 0 },
};

#if defined(__x86_64__)
/* Of 32-bit programs only the locks. Source: arch/x86/entry/syscalls/syscall_32.tbl. */
static const struct rule compatible_rules[] = {
	{ 55, LOCKS, ANYBODY, 1, 1 },
	{ 221, LOCKS, ANYBODY, 1, 1 },
	{ 143, NOT_UNLOCK, ANYBODY, 1, 1 },
};
#endif

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define LOW_HALF 4
#else
#define LOW_HALF 0
#endif

static void add(struct filter *filter, struct sock_filter instruction)
{
	/* The tables are constant; a test sees to it that there is room. */
	if (filter->length < FILTER_LENGTH_MAX)
		filter->code[filter->length] = instruction;
	filter->length++;
}

static void load(struct filter *filter, size_t offset)
{
	add(filter, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

static void load_argument(struct filter *filter, unsigned index)
{
	load(filter, offsetof(struct seccomp_data, args) + index * sizeof(uint64_t) + LOW_HALF);
}

static void keep_bits(struct filter *filter, uint32_t mask)
{
	add(filter, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask));
}

/* Skips `then` or `otherwise` instructions. */
static void jump(struct filter *filter, uint16_t operation, uint32_t value, uint8_t then, uint8_t otherwise)
{
	add(filter, (struct sock_filter)BPF_JUMP((uint16_t)(BPF_JMP | operation | BPF_K), value, then, otherwise));
}

static void answer(struct filter *filter, uint32_t action)
{
	add(filter, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
}

static void notify_if(struct filter *filter, uint16_t operation, uint32_t value)
{
	jump(filter, operation, value, 0, 1);
	answer(filter, SECCOMP_RET_USER_NOTIF);
}

static void allow_if(struct filter *filter, uint16_t operation, uint32_t value)
{
	jump(filter, operation, value, 0, 1);
	answer(filter, SECCOMP_RET_ALLOW);
}

static void notify_if_other(struct filter *filter, unsigned argument, uint32_t own)
{
	load_argument(filter, argument);
	jump(filter, BPF_JEQ, UINT32_MAX, 2, 0);
	jump(filter, BPF_JEQ, own, 1, 0);
	answer(filter, SECCOMP_RET_USER_NOTIF);
}

static void add_condition(struct filter *filter, const struct rule *rule, const struct filter_options *options)
{
	static const uint32_t locks[] = { F_GETLK, F_SETLK, F_SETLKW, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW };
	switch (rule->condition) {
	case ALWAYS:
		answer(filter, SECCOMP_RET_USER_NOTIF);
		return;
	case LOCKS:
		load_argument(filter, rule->first);
		for (size_t i = 0; i < sizeof locks / sizeof *locks; i++)
			notify_if(filter, BPF_JEQ, locks[i]);
		break;
	case NOT_UNLOCK:
		load_argument(filter, rule->first);
		allow_if(filter, BPF_JSET, LOCK_UN);
		answer(filter, SECCOMP_RET_USER_NOTIF);
		return;
	case USERS:
		for (unsigned i = rule->first; i <= rule->last; i++)
			notify_if_other(filter, i, options->uid);
		break;
	case GROUPS:
		for (unsigned i = rule->first; i <= rule->last; i++)
			notify_if_other(filter, i, options->gid);
		break;
	case OWNERS:
		notify_if_other(filter, rule->first, options->uid);
		notify_if_other(filter, rule->last, options->gid);
		break;
	case GROUP_OWNER:
		notify_if_other(filter, rule->last, options->gid);
		break;
	case DEVICE:
		load_argument(filter, rule->first);
		keep_bits(filter, S_IFMT);
		notify_if(filter, BPF_JEQ, S_IFCHR);
		notify_if(filter, BPF_JEQ, S_IFBLK);
		break;
	case NAMESPACES:
		load_argument(filter, rule->first);
		allow_if(filter, BPF_JSET, CLONE_NEWUSER);
		notify_if(filter, BPF_JSET,
			  CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWCGROUP);
		break;
	case NOT_LOCAL:
		load_argument(filter, rule->first);
		allow_if(filter, BPF_JEQ, AF_UNIX);
		answer(filter, SECCOMP_RET_USER_NOTIF);
		return;
	case PROCESS:
		load_argument(filter, rule->first);
		allow_if(filter, BPF_JEQ, 0);
		allow_if(filter, BPF_JEQ, UINT32_MAX);
		answer(filter, SECCOMP_RET_USER_NOTIF);
		return;
	case NOTHING:
		load_argument(filter, rule->first);
		notify_if(filter, BPF_JEQ, 0);
		break;
	case LACKING:
		/* No variable lies at a multiple of 4 GiB. */
		load_argument(filter, rule->last);
		allow_if(filter, BPF_JEQ, 0);
		load_argument(filter, rule->first);
		for (uint32_t i = 0; i < CONTEXT_LIMITS; i++) {
			if (options->lack.limits & 1u << i)
				notify_if(filter, BPF_JEQ, i);
		}
		break;
	case KEYED:
		load_argument(filter, rule->first);
		jump(filter, BPF_JEQ, 0, 1, 0);
		answer(filter, SECCOMP_RET_USER_NOTIF);
		break;
	}
	answer(filter, SECCOMP_RET_ALLOW);
}

static bool applies(const struct rule *rule, const struct filter_options *options)
{
	switch (rule->subject) {
	case ANYBODY:
		return true;
	case ROOT:
		return options->uid == 0;
	case ORDINARY:
		return options->uid != 0;
	case WITHOUT_NETWORK:
		return !options->may_use_network;
	case WITHOUT_LIMITS:
		return options->lack.limits != 0;
	case WITHOUT_NICENESS:
		return options->lack.niceness;
	case WITHOUT_PROCESSORS:
		return options->lack.processors;
	}
	return false;
}

/* The number of the call is loaded. Ends with an answer. */
static void add_rules(struct filter *filter, const struct rule *list, size_t count, const struct filter_options *options)
{
	for (size_t i = 0; i < count; i++) {
		if (!applies(&list[i], options))
			continue;
		size_t at = filter->length;
		jump(filter, BPF_JEQ, list[i].call, 0, 0);
		add_condition(filter, &list[i], options);
		if (at < FILTER_LENGTH_MAX)
			filter->code[at].jf = (uint8_t)(filter->length - at - 1);
	}
	answer(filter, SECCOMP_RET_ALLOW);
}

void filter_make(struct filter *filter, const struct filter_options *options)
{
	filter->length = 0;
#ifdef NATIVE
	load(filter, offsetof(struct seccomp_data, arch));
#if defined(__x86_64__)
	size_t at = filter->length;
	/* The rules of 32-bit programs are few: a jump over them is short. */
	jump(filter, BPF_JEQ, AUDIT_ARCH_I386, 0, 0);
	load(filter, offsetof(struct seccomp_data, nr));
	add_rules(filter, compatible_rules, sizeof compatible_rules / sizeof *compatible_rules, options);
	filter->code[at].jf = (uint8_t)(filter->length - at - 1);
#endif
	jump(filter, BPF_JEQ, NATIVE, 1, 0);
	answer(filter, SECCOMP_RET_ALLOW);
	load(filter, offsetof(struct seccomp_data, nr));
#if defined(__x86_64__)
	allow_if(filter, BPF_JGE, X32_BIT);
#endif
	add_rules(filter, rules, sizeof rules / sizeof *rules, options);
#else
	answer(filter, SECCOMP_RET_ALLOW);
#endif
}
