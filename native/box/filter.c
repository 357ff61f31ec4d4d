#include "filter.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <errno.h>
#include <stddef.h>
#include <sys/file.h>
#include <sys/ioctl.h>
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

/* Set in the numbers of x32 programs, which are hardly ever seen. */
#define X32_BIT 0x40000000

/* Which argument of clone(2) has the flags. Source: CONFIG_CLONE_BACKWARDS2. */
#if defined(__s390x__)
#define CLONE_FLAGS 1
#else
#define CLONE_FLAGS 0
#endif

/* Of the second argument of socket(2), the rest is flags. Source: SOCK_TYPE_MASK, include/linux/net.h. */
#define SOCKET_TYPES 0xf

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
	NAMESPACES,  /* args[first] has flags for namespaces */
	USER_SPACE,  /* args[first] has the flag for a user namespace */
	NOT_LOCAL,   /* args[first] is the family of a socket, but AF_UNIX */
	FINDABLE,    /* args[first] and args[last] are family and type of a socket that can be found without bind(2) or connect(2) */
	INPUT,	     /* args[first] is a command of ioctl(2) that puts words into a terminal's mouth */
	PROCESS,     /* args[first] names a certain process or group; init itself ends all with -1 */
	NOTHING,     /* args[first] is 0: of descriptors to wait for */
	LACKING,     /* args[first] is a resource whose limit is not the caller's, and args[last] says where to put it */
	KEYED,	     /* args[first] is not 0, that is, IPC_PRIVATE */
};

/* Whom it is about: what an ordinary user may not do anyway fails in the sandbox as it does outside. */
enum subject { ANYBODY, ROOT, ORDINARY, SHARED, OWN, WITHOUT_NETWORK, WITHOUT_LIMITS, WITHOUT_NICENESS, WITHOUT_PROCESSORS };

enum manner {
	TOLD,
	REFUSED, /* told, and EPERM: the job was refused what it could have outside */
	QUIETLY, /* EPERM: nobody has a use for it that gives another result */
	UNKNOWN, /* ENOSYS, as of a kernel that does not have it: programs know what to do then */
};

struct rule {
	uint32_t call;
	enum condition condition;
	enum subject subject;
	unsigned first, last;
	enum manner manner;
};

/* The calls that are made most come first, as those that are not always allowed go through all before them. */
static const struct rule rules[] = {
	{ SYS_fcntl, LOCKS, ANYBODY, 1, 1, TOLD },
	{ SYS_ioctl, INPUT, ANYBODY, 1, 1, QUIETLY },
	/* Sandboxes in a sandbox get no further than this; who asks for one is better off outside. */
	{ SYS_clone, USER_SPACE, ANYBODY, CLONE_FLAGS, CLONE_FLAGS, REFUSED },
	/* Has its flags in memory. The C libraries and Go go on with clone(2). */
	{ SYS_clone3, ALWAYS, ANYBODY, 0, 0, UNKNOWN },
#ifdef SYS_flock
	{ SYS_flock, NOT_UNLOCK, ANYBODY, 1, 1, TOLD },
#endif
	{ SYS_kill, PROCESS, ANYBODY, 0, 0, TOLD },
	{ SYS_pidfd_open, ALWAYS, ANYBODY, 0, 0, TOLD },
	{ SYS_socket, FINDABLE, SHARED, 0, 1, TOLD },
	{ SYS_socketpair, FINDABLE, SHARED, 0, 1, TOLD },
	{ SYS_socket, NOT_LOCAL, OWN, 0, 0, TOLD },
	{ SYS_connect, ALWAYS, WITHOUT_NETWORK, 0, 0, TOLD },
	{ SYS_bind, ALWAYS, WITHOUT_NETWORK, 0, 0, TOLD },
/* SYS_nanosleep is not among them: the run time of Go calls it all the time, and nothing else does where there is glibc 2.31. */
	{ SYS_clock_nanosleep, ALWAYS, ANYBODY, 0, 0, TOLD },
#ifdef SYS_select
	{ SYS_select, NOTHING, ANYBODY, 0, 0, TOLD },
#endif
	{ SYS_pselect6, NOTHING, ANYBODY, 0, 0, TOLD },
#ifdef SYS_poll
	{ SYS_poll, NOTHING, ANYBODY, 1, 1, TOLD },
#endif
	{ SYS_ppoll, NOTHING, ANYBODY, 1, 1, TOLD },
	{ SYS_shmget, KEYED, ANYBODY, 0, 0, TOLD },
	{ SYS_semget, KEYED, ANYBODY, 0, 0, TOLD },
	{ SYS_msgget, KEYED, ANYBODY, 0, 0, TOLD },
	{ SYS_mq_open, ALWAYS, ANYBODY, 0, 0, TOLD },

/* An ordinary user may give a file to another group that he is in; the sandbox knows just one. */
#ifdef SYS_chown
	{ SYS_chown, OWNERS, ROOT, 1, 2, TOLD },
	{ SYS_chown, GROUP_OWNER, ORDINARY, 1, 2, TOLD },
	{ SYS_lchown, OWNERS, ROOT, 1, 2, TOLD },
	{ SYS_lchown, GROUP_OWNER, ORDINARY, 1, 2, TOLD },
#endif
	{ SYS_fchown, OWNERS, ROOT, 1, 2, TOLD },
	{ SYS_fchown, GROUP_OWNER, ORDINARY, 1, 2, TOLD },
	{ SYS_fchownat, OWNERS, ROOT, 2, 3, TOLD },
	{ SYS_fchownat, GROUP_OWNER, ORDINARY, 2, 3, TOLD },
#ifdef SYS_mknod
	{ SYS_mknod, DEVICE, ROOT, 1, 1, TOLD },
#endif
	{ SYS_mknodat, DEVICE, ROOT, 2, 2, TOLD },
	{ SYS_setxattr, ALWAYS, ROOT, 0, 0, TOLD },
	{ SYS_lsetxattr, ALWAYS, ROOT, 0, 0, TOLD },
	{ SYS_fsetxattr, ALWAYS, ROOT, 0, 0, TOLD },

	{ SYS_setuid, USERS, ROOT, 0, 0, TOLD },
	{ SYS_setreuid, USERS, ROOT, 0, 1, TOLD },
	{ SYS_setresuid, USERS, ROOT, 0, 2, TOLD },
	{ SYS_setgid, GROUPS, ROOT, 0, 0, TOLD },
	{ SYS_setregid, GROUPS, ROOT, 0, 1, TOLD },
	{ SYS_setresgid, GROUPS, ROOT, 0, 2, TOLD },
	{ SYS_setgroups, ALWAYS, ROOT, 0, 0, TOLD },

	/* Some of them also without privileges, in a user namespace of one's own. */
	{ SYS_mount, ALWAYS, ANYBODY, 0, 0, REFUSED },
	{ SYS_umount2, ALWAYS, ANYBODY, 0, 0, REFUSED },
	{ SYS_pivot_root, ALWAYS, ANYBODY, 0, 0, REFUSED },
	{ SYS_chroot, ALWAYS, ANYBODY, 0, 0, REFUSED },
	{ SYS_setns, ALWAYS, ANYBODY, 0, 0, REFUSED },
	{ SYS_fsopen, ALWAYS, ANYBODY, 0, 0, REFUSED },
	{ SYS_fspick, ALWAYS, ANYBODY, 0, 0, REFUSED },
	{ SYS_open_tree, ALWAYS, ANYBODY, 0, 0, REFUSED },
	{ SYS_move_mount, ALWAYS, ANYBODY, 0, 0, REFUSED },
	{ SYS_mount_setattr, ALWAYS, ANYBODY, 0, 0, REFUSED },
	{ SYS_unshare, NAMESPACES, ROOT, 0, 0, REFUSED },
	{ SYS_unshare, USER_SPACE, ORDINARY, 0, 0, REFUSED },

	/* Keys of a user's are found by whatever else he runs. */
	{ SYS_keyctl, ALWAYS, ANYBODY, 0, 0, REFUSED },
	{ SYS_add_key, ALWAYS, ANYBODY, 0, 0, REFUSED },
	{ SYS_request_key, ALWAYS, ANYBODY, 0, 0, REFUSED },
	{ SYS_perf_event_open, ALWAYS, ANYBODY, 0, 0, REFUSED },
	{ SYS_bpf, ALWAYS, ANYBODY, 0, 0, REFUSED },
	{ SYS_init_module, ALWAYS, ANYBODY, 0, 0, REFUSED },
	{ SYS_finit_module, ALWAYS, ANYBODY, 0, 0, REFUSED },
	{ SYS_delete_module, ALWAYS, ANYBODY, 0, 0, REFUSED },
	{ SYS_kexec_load, ALWAYS, ANYBODY, 0, 0, REFUSED },
#ifdef SYS_kexec_file_load
	{ SYS_kexec_file_load, ALWAYS, ANYBODY, 0, 0, REFUSED },
#endif
	/* Makes other system calls past this filter. Where it is missing, programs make them one by one. */
	{ SYS_io_uring_setup, ALWAYS, ANYBODY, 0, 0, UNKNOWN },
	{ SYS_userfaultfd, ALWAYS, ANYBODY, 0, 0, UNKNOWN },
	{ SYS_open_by_handle_at, ALWAYS, ANYBODY, 0, 0, QUIETLY },

#ifdef SYS_getrlimit
	{ SYS_getrlimit, LACKING, WITHOUT_LIMITS, 0, 1, TOLD },
#endif
	{ SYS_prlimit64, LACKING, WITHOUT_LIMITS, 1, 3, TOLD },
	{ SYS_getpriority, ALWAYS, WITHOUT_NICENESS, 0, 0, TOLD },
	{ SYS_sched_getaffinity, ALWAYS, WITHOUT_PROCESSORS, 0, 0, TOLD },

	{ SYS_setpriority, ALWAYS, ROOT, 0, 0, TOLD },
	{ SYS_sethostname, ALWAYS, ROOT, 0, 0, TOLD },
	{ SYS_setdomainname, ALWAYS, ROOT, 0, 0, TOLD },
	{ SYS_settimeofday, ALWAYS, ROOT, 0, 0, TOLD },
	{ SYS_clock_settime, ALWAYS, ROOT, 0, 0, TOLD },
	{ SYS_swapon, ALWAYS, ROOT, 0, 0, TOLD },
	{ SYS_swapoff, ALWAYS, ROOT, 0, 0, TOLD },
	{ SYS_quotactl, ALWAYS, ROOT, 0, 0, TOLD },
	{ SYS_syslog, ALWAYS, ROOT, 0, 0, TOLD },
	{ SYS_reboot, ALWAYS, ROOT, 0, 0, TOLD },
};

#if defined(__x86_64__)
/*
 * Of 32-bit programs, and of 64-bit ones that make calls as those do: what keeps jobs apart, and locks. Source:
 * arch/x86/entry/syscalls/syscall_32.tbl.
 */
static const struct rule compatible_rules[] = {
	{ 55, LOCKS, ANYBODY, 1, 1, TOLD },	     /* fcntl */
	{ 221, LOCKS, ANYBODY, 1, 1, TOLD },	     /* fcntl64 */
	{ 54, INPUT, ANYBODY, 1, 1, QUIETLY },	     /* ioctl */
	{ 120, USER_SPACE, ANYBODY, 0, 0, REFUSED }, /* clone */
	{ 435, ALWAYS, ANYBODY, 0, 0, UNKNOWN },     /* clone3 */
	{ 143, NOT_UNLOCK, ANYBODY, 1, 1, TOLD },    /* flock */
	{ 102, ALWAYS, SHARED, 0, 0, TOLD },	     /* socketcall: any of the next four */
	{ 359, ALWAYS, SHARED, 0, 0, TOLD },	     /* socket */
	{ 360, ALWAYS, SHARED, 0, 0, TOLD },	     /* socketpair */
	{ 361, ALWAYS, SHARED, 0, 0, TOLD },	     /* bind */
	{ 362, ALWAYS, SHARED, 0, 0, TOLD },	     /* connect */
	{ 21, ALWAYS, ANYBODY, 0, 0, REFUSED },	     /* mount */
	{ 22, ALWAYS, ANYBODY, 0, 0, REFUSED },	     /* umount */
	{ 52, ALWAYS, ANYBODY, 0, 0, REFUSED },	     /* umount2 */
	{ 217, ALWAYS, ANYBODY, 0, 0, REFUSED },     /* pivot_root */
	{ 61, ALWAYS, ANYBODY, 0, 0, REFUSED },	     /* chroot */
	{ 346, ALWAYS, ANYBODY, 0, 0, REFUSED },     /* setns */
	{ 310, NAMESPACES, ROOT, 0, 0, REFUSED },    /* unshare */
	{ 310, USER_SPACE, ORDINARY, 0, 0, REFUSED },
	{ 286, ALWAYS, ANYBODY, 0, 0, REFUSED },     /* add_key */
	{ 287, ALWAYS, ANYBODY, 0, 0, REFUSED },     /* request_key */
	{ 288, ALWAYS, ANYBODY, 0, 0, REFUSED },     /* keyctl */
	{ 336, ALWAYS, ANYBODY, 0, 0, REFUSED },     /* perf_event_open */
	{ 357, ALWAYS, ANYBODY, 0, 0, REFUSED },     /* bpf */
	{ 128, ALWAYS, ANYBODY, 0, 0, REFUSED },     /* init_module */
	{ 350, ALWAYS, ANYBODY, 0, 0, REFUSED },     /* finit_module */
	{ 129, ALWAYS, ANYBODY, 0, 0, REFUSED },     /* delete_module */
	{ 283, ALWAYS, ANYBODY, 0, 0, REFUSED },     /* kexec_load */
	{ 428, ALWAYS, ANYBODY, 0, 0, REFUSED },     /* open_tree */
	{ 429, ALWAYS, ANYBODY, 0, 0, REFUSED },     /* move_mount */
	{ 430, ALWAYS, ANYBODY, 0, 0, REFUSED },     /* fsopen */
	{ 433, ALWAYS, ANYBODY, 0, 0, REFUSED },     /* fspick */
	{ 442, ALWAYS, ANYBODY, 0, 0, REFUSED },     /* mount_setattr */
	{ 425, ALWAYS, ANYBODY, 0, 0, UNKNOWN },     /* io_uring_setup */
	{ 374, ALWAYS, ANYBODY, 0, 0, UNKNOWN },     /* userfaultfd */
	{ 342, ALWAYS, ANYBODY, 0, 0, QUIETLY },     /* open_by_handle_at */
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

static void answer_if(struct filter *filter, uint16_t operation, uint32_t value, uint32_t action)
{
	jump(filter, operation, value, 0, 1);
	answer(filter, action);
}

static void allow_if(struct filter *filter, uint16_t operation, uint32_t value)
{
	answer_if(filter, operation, value, SECCOMP_RET_ALLOW);
}

static void answer_if_other(struct filter *filter, unsigned argument, uint32_t own, uint32_t action)
{
	load_argument(filter, argument);
	jump(filter, BPF_JEQ, UINT32_MAX, 2, 0);
	jump(filter, BPF_JEQ, own, 1, 0);
	answer(filter, action);
}

static uint32_t action_of(const struct rule *rule, const struct filter_options *options)
{
	if (rule->manner == UNKNOWN)
		return SECCOMP_RET_ERRNO | ENOSYS;
	return rule->manner == QUIETLY || options->is_unheard ? SECCOMP_RET_ERRNO | EPERM : SECCOMP_RET_USER_NOTIF;
}

static void add_condition(struct filter *filter, const struct rule *rule, const struct filter_options *options)
{
	static const uint32_t locks[] = { F_GETLK, F_SETLK, F_SETLKW, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW };
	const uint32_t action = action_of(rule, options);
	switch (rule->condition) {
	case ALWAYS:
		answer(filter, action);
		return;
	case LOCKS:
		load_argument(filter, rule->first);
		for (size_t i = 0; i < sizeof locks / sizeof *locks; i++)
			answer_if(filter, BPF_JEQ, locks[i], action);
		break;
	case NOT_UNLOCK:
		load_argument(filter, rule->first);
		allow_if(filter, BPF_JSET, LOCK_UN);
		answer(filter, action);
		return;
	case USERS:
		for (unsigned i = rule->first; i <= rule->last; i++)
			answer_if_other(filter, i, options->uid, action);
		break;
	case GROUPS:
		for (unsigned i = rule->first; i <= rule->last; i++)
			answer_if_other(filter, i, options->gid, action);
		break;
	case OWNERS:
		answer_if_other(filter, rule->first, options->uid, action);
		answer_if_other(filter, rule->last, options->gid, action);
		break;
	case GROUP_OWNER:
		answer_if_other(filter, rule->last, options->gid, action);
		break;
	case DEVICE:
		load_argument(filter, rule->first);
		keep_bits(filter, S_IFMT);
		answer_if(filter, BPF_JEQ, S_IFCHR, action);
		answer_if(filter, BPF_JEQ, S_IFBLK, action);
		break;
	case NAMESPACES:
		load_argument(filter, rule->first);
		answer_if(filter, BPF_JSET,
			  CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWPID |
				  CLONE_NEWCGROUP,
			  action);
		break;
	case USER_SPACE:
		load_argument(filter, rule->first);
		answer_if(filter, BPF_JSET, CLONE_NEWUSER, action);
		break;
	case NOT_LOCAL:
		load_argument(filter, rule->first);
		allow_if(filter, BPF_JEQ, AF_UNIX);
		answer(filter, action);
		return;
	case FINDABLE:
		load_argument(filter, rule->first);
		jump(filter, BPF_JEQ, AF_UNIX, 1, 0);
		answer(filter, action);
		load_argument(filter, rule->last);
		keep_bits(filter, SOCKET_TYPES);
		allow_if(filter, BPF_JEQ, SOCK_STREAM);
		allow_if(filter, BPF_JEQ, SOCK_SEQPACKET);
		answer(filter, action);
		return;
	case INPUT:
		load_argument(filter, rule->first);
		answer_if(filter, BPF_JEQ, TIOCSTI, action);
		answer_if(filter, BPF_JEQ, TIOCLINUX, action);
		break;
	case PROCESS:
		load_argument(filter, rule->first);
		allow_if(filter, BPF_JEQ, 0);
		allow_if(filter, BPF_JEQ, UINT32_MAX);
		answer(filter, action);
		return;
	case NOTHING:
		load_argument(filter, rule->first);
		answer_if(filter, BPF_JEQ, 0, action);
		break;
	case LACKING:
		/* No variable lies at a multiple of 4 GiB. */
		load_argument(filter, rule->last);
		allow_if(filter, BPF_JEQ, 0);
		load_argument(filter, rule->first);
		for (uint32_t i = 0; i < CONTEXT_LIMITS; i++) {
			if (options->lack.limits & 1u << i)
				answer_if(filter, BPF_JEQ, i, action);
		}
		break;
	case KEYED:
		load_argument(filter, rule->first);
		jump(filter, BPF_JEQ, 0, 1, 0);
		answer(filter, action);
		break;
	}
	answer(filter, SECCOMP_RET_ALLOW);
}

static bool applies(const struct rule *rule, const struct filter_options *options)
{
	if (options->is_unheard && rule->manner == TOLD)
		return false;
	switch (rule->subject) {
	case ANYBODY:
		return true;
	case ROOT:
		return options->uid == 0;
	case ORDINARY:
		return options->uid != 0;
	case SHARED:
		return options->network == NETWORK_SHARED;
	case OWN:
		return options->network == NETWORK_OWN;
	case WITHOUT_NETWORK:
		return options->network != NETWORK_MACHINE;
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
	jump(filter, BPF_JEQ, AUDIT_ARCH_I386, 1, 0);
	size_t at = filter->length;
	add(filter, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 0));
	load(filter, offsetof(struct seccomp_data, nr));
	add_rules(filter, compatible_rules, sizeof compatible_rules / sizeof *compatible_rules, options);
	filter->code[at].k = (uint32_t)(filter->length - at - 1);
#endif
	/* What has other numbers than ours gets no call through at all. */
	jump(filter, BPF_JEQ, NATIVE, 1, 0);
	answer(filter, SECCOMP_RET_ERRNO | ENOSYS);
	load(filter, offsetof(struct seccomp_data, nr));
#if defined(__x86_64__)
	answer_if(filter, BPF_JGE, X32_BIT, SECCOMP_RET_ERRNO | ENOSYS);
#endif
	add_rules(filter, rules, sizeof rules / sizeof *rules, options);
#endif
}
