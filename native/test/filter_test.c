#include "../box/filter.h"
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static const struct filter_options root = { .uid = 0, .network = NETWORK_OWN };

#if defined(__x86_64__)
/* What a classic BPF program answers for a system call: the few instructions that the filter is made of. */
static uint32_t run(const struct filter *filter, const struct seccomp_data *data)
{
	uint32_t a = 0;
	for (size_t at = 0; at < filter->length; at++) {
		const struct sock_filter *code = &filter->code[at];
		switch (code->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			memcpy(&a, (const char *)data + code->k, sizeof a);
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= code->k;
			break;
		case BPF_JMP | BPF_JA:
			at += code->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			at += a == code->k ? code->jt : code->jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			at += a >= code->k ? code->jt : code->jf;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			at += a & code->k ? code->jt : code->jf;
			break;
		case BPF_RET | BPF_K:
			return code->k;
		default:
			return UINT32_MAX;
		}
	}
	return UINT32_MAX;
}

#define OWN 1000u
static const struct filter_options ordinary = { .uid = OWN, .gid = OWN, .network = NETWORK_OWN },
				   networked = { .network = NETWORK_MACHINE },
				   shared = { .uid = OWN, .gid = OWN, .network = NETWORK_SHARED },
				   unheard = { .network = NETWORK_OWN, .is_unheard = true };

static uint32_t answer_of(const struct filter_options *options, const struct seccomp_data *data)
{
	struct filter filter;
	filter_make(&filter, options);
	return filter.length <= FILTER_LENGTH_MAX ? run(&filter, data) : UINT32_MAX;
}

static uint32_t answer_to(const struct filter_options *options, uint32_t arch, int call, uint64_t a, uint64_t b, uint64_t c)
{
	return answer_of(options, &(struct seccomp_data){ .nr = call, .arch = arch, .args = { a, b, c } });
}

static bool tells(const struct filter_options *options, uint32_t arch, int call, uint64_t a, uint64_t b, uint64_t c)
{
	return answer_to(options, arch, call, a, b, c) == SECCOMP_RET_USER_NOTIF;
}

#define HERE AUDIT_ARCH_X86_64
#define told(options, call, a, b, c) tells(options, HERE, call, a, b, c)
#define PERM (SECCOMP_RET_ERRNO | EPERM)
#define NOSYS (SECCOMP_RET_ERRNO | ENOSYS)

static void test_usual_calls(void)
{
	static const int usual[] = { SYS_read, SYS_openat, SYS_execve, SYS_mmap, SYS_clone, SYS_rename, SYS_fstat, SYS_ioctl };
	bool is_quiet = true;
	for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
		is_quiet &= !told(&root, usual[i], 1, 1, 1) && !told(&ordinary, usual[i], 1, 1, 1);
	tap_ok(is_quiet, "usual calls are not told, whatever their arguments");
	tap_ok(!told(&root, SYS_fcntl, 3, F_DUPFD_CLOEXEC, 3) &&
		       !told(&root, SYS_fcntl, 3, F_GETFL, 0), "nor is what fcntl() mostly does");
}

static void test_locks(void)
{
	tap_ok(told(&ordinary, SYS_flock, 3, LOCK_EX | LOCK_NB, 0) &&
		       told(&root, SYS_flock, 3, LOCK_SH, 0), "flock() is told");
	tap_ok(!told(&root, SYS_flock, 3, LOCK_UN, 0), "but not its undoing");
	tap_ok(told(&root, SYS_fcntl, 3, F_SETLK, 0) && told(&root, SYS_fcntl, 3, F_OFD_SETLKW, 0) &&
		       told(&root, SYS_fcntl, 3, F_GETLK, 0),
	   "locks of fcntl() are told");
	tap_ok(tells(&root, AUDIT_ARCH_I386, 143, 3, LOCK_EX, 0) &&
		       tells(&root, AUDIT_ARCH_I386, 221, 3, F_SETLK, 0), "also of 32-bit programs");
	tap_ok(!tells(&root, AUDIT_ARCH_I386, SYS_flock, 3, LOCK_EX, 0), "whose other numbers mean other calls");
}

static void test_powers(void)
{
	tap_ok(!told(&root, SYS_chown, 0, 0, 0) && !told(&root, SYS_chown, 0, UINT32_MAX, 0) &&
		       !told(&root, SYS_fchown, 3, 0, UINT32_MAX),
	   "chown() to root's own ids is not told");
	tap_ok(told(&root, SYS_chown, 0, 1, 0) && told(&root, SYS_lchown, 0, 0, 1) &&
		       told(&root, SYS_fchown, 3, 5, UINT32_MAX),
	   "chown() to others' is");
	tap_ok(!told(&ordinary, SYS_chown, 0, 0, UINT32_MAX) && told(&ordinary, SYS_chown, 0, OWN, 5),
	   "of an ordinary user, who may not give files away, that to another group is");
	tap_ok(told(&root, SYS_mknod, 0, S_IFCHR | 0600, 0) && !told(&root, SYS_mknod, 0, S_IFIFO | 0600, 0) &&
		       !told(&root, SYS_mknod, 0, 0600, 0),
	   "mknod() is told of devices");
	tap_ok(told(&root, SYS_setresuid, 0, 0, 5) && !told(&root, SYS_setresuid, UINT32_MAX, 0, 0) &&
		       !told(&ordinary, SYS_setuid, 0, 0, 0),
	   "root's change to another user is told");
	tap_ok(told(&root, SYS_setpriority, 0, 0, 5) && !told(&ordinary, SYS_setpriority, 0, 0, 5),
	       "so is another priority, which may be a higher one");
	tap_ok(told(&root, SYS_unshare, CLONE_NEWNS, 0, 0) &&
		       told(&root, SYS_unshare, CLONE_NEWNS | CLONE_NEWUSER, 0, 0) &&
		       !told(&root, SYS_unshare, CLONE_FILES, 0, 0) &&
		       told(&ordinary, SYS_unshare, CLONE_NEWUSER, 0, 0) &&
		       told(&ordinary, SYS_clone, CLONE_NEWUSER | 17, 0, 0) && !told(&root, SYS_clone, 17, 0, 0),
	   "so are namespaces");
	tap_ok(told(&ordinary, SYS_mount, 0, 0, 0), "mount() is always told");
}

static void test_others(void)
{
	tap_ok(told(&ordinary, SYS_socket, AF_INET, SOCK_STREAM, 0) &&
		       told(&root, SYS_socket, AF_NETLINK, SOCK_RAW, 0), "sockets are told");
	tap_ok(!told(&root, SYS_socket, AF_UNIX, SOCK_STREAM, 0), "but not local ones");
	tap_ok(!told(&networked, SYS_socket, AF_INET, SOCK_STREAM, 0) && !told(&networked, SYS_connect, 3, 0, 0),
	   "nor those of a job that may use the network");
	tap_ok(told(&root, SYS_kill, 5, 0, 0) && !told(&root, SYS_kill, 0, 9, 0) &&
		       !told(&root, SYS_kill, UINT32_MAX, 9, 0),
	   "a signal to a certain process is told; init's last one to all is not");
	tap_ok(told(&root, SYS_clock_nanosleep, 0, 0, 0) && told(&root, SYS_pselect6, 0, 0, 0) &&
		       told(&root, SYS_poll, 0, 0, 10),
	       "sleeping is told");
	tap_ok(!told(&root, SYS_pselect6, 4, 0, 0) && !told(&root, SYS_poll, 0, 1, 10) &&
		       !told(&root, SYS_nanosleep, 0, 0, 0),
	       "waiting for descriptors is not, nor how Go sleeps");
	tap_ok(told(&root, SYS_msgget, 7, 0, 0) &&
		       !told(&root, SYS_msgget, 0, 0, 0), "objects of System V IPC are told when they have a key");
}

static void test_shared_network(void)
{
	tap_ok(!told(&shared, SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) &&
		       !told(&shared, SYS_socketpair, AF_UNIX, SOCK_SEQPACKET, 0) &&
		       !told(&ordinary, SYS_socketpair, AF_UNIX, SOCK_DGRAM, 0),
	       "local sockets that nobody finds are not told");
	tap_ok(told(&shared, SYS_socket, AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0) &&
		       told(&shared, SYS_socket, AF_UNIX, SOCK_RAW, 0) &&
		       told(&shared, SYS_socketpair, AF_UNIX, SOCK_DGRAM, 0) &&
		       told(&shared, SYS_socket, AF_INET, SOCK_STREAM, 0) && told(&shared, SYS_bind, 3, 0, 0) &&
		       told(&shared, SYS_connect, 3, 0, 0),
	   "in a network that jobs share all others are");
	bool is_told = true;
	for (int call = 359; call <= 362; call++)
		is_told &= tells(&shared, AUDIT_ARCH_I386, call, AF_UNIX, SOCK_STREAM, 0);
	tap_ok(is_told && tells(&shared, AUDIT_ARCH_I386, 102, 1, 0, 0), "also as 32-bit programs have them");
	tap_ok(!tells(&ordinary, AUDIT_ARCH_I386, 102, 1, 0, 0), "but not in a network of one's own");
}

static void test_refusals(void)
{
	static const int told_and_refused[] = { SYS_mount, SYS_keyctl,	     SYS_add_key,    SYS_request_key,
						SYS_bpf,   SYS_init_module, SYS_kexec_load, SYS_perf_event_open,
						SYS_setns, SYS_mount_setattr };
	bool is_told = true, is_refused = true;
	for (size_t i = 0; i < sizeof told_and_refused / sizeof *told_and_refused; i++) {
		is_told &= told(&ordinary, told_and_refused[i], 0, 0, 0);
		is_refused &= answer_to(&unheard, HERE, told_and_refused[i], 0, 0, 0) == PERM;
	}
	tap_ok(is_told, "what container runtimes refuse is told");
	tap_ok(is_refused && answer_to(&unheard, HERE, SYS_clone, CLONE_NEWUSER, 0, 0) == PERM,
	       "and refused where nobody can be told");
	tap_ok(answer_to(&unheard, HERE, SYS_flock, 3, LOCK_EX, 0) == SECCOMP_RET_ALLOW, "where what is only noticed happens");
	tap_ok(answer_to(&root, HERE, SYS_io_uring_setup, 8, 0, 0) == NOSYS &&
		       answer_to(&ordinary, HERE, SYS_clone3, 0, 0, 0) == NOSYS &&
		       answer_to(&ordinary, AUDIT_ARCH_I386, 425, 8, 0, 0) == NOSYS,
	   "calls that make others past the filter are unknown");
	tap_ok(answer_to(&ordinary, HERE, SYS_ioctl, 0, TIOCSTI, 0) == PERM &&
		       answer_to(&ordinary, HERE, SYS_ioctl, 0, (1ull << 32) | TIOCSTI, 0) == PERM &&
		       answer_to(&ordinary, HERE, SYS_ioctl, 0, TIOCGWINSZ, 0) == SECCOMP_RET_ALLOW,
	   "so is typing for others");
	tap_ok(answer_to(&root, HERE, 0x40000000 | SYS_read, 0, 0, 0) == NOSYS &&
		       answer_to(&root, AUDIT_ARCH_AARCH64, SYS_read, 0, 0, 0) == NOSYS,
	   "so is every call of x32 programs, and of other machines'");
}

static bool tells_limit(const struct filter_options *options, uint64_t resource, uint64_t old)
{
	struct seccomp_data data = { .nr = SYS_prlimit64, .arch = HERE, .args = { 0, resource, 0x1000, old } };
	return answer_of(options, &data) == SECCOMP_RET_USER_NOTIF;
}

static void test_context(void)
{
	static const struct filter_options lacking = { .network = NETWORK_OWN, .lack = { 1u << 7, true, true } };
	tap_ok(tells_limit(&lacking, 7, 0x1000) && told(&lacking, SYS_getrlimit, 7, 0x1000, 0) &&
		       told(&lacking, SYS_getpriority, 0, 0, 0) && told(&lacking, SYS_sched_getaffinity, 0, 0, 0),
	       "what is not as the caller has it is told when it is asked for");
	tap_ok(!tells_limit(&lacking, 3, 0x1000) && !tells_limit(&lacking, 7, 0),
	       "limits that are the caller's are not, nor is setting one");
	tap_ok(!tells_limit(&root, 7, 0x1000) && !told(&root, SYS_getpriority, 0, 0, 0) &&
		       !told(&root, SYS_sched_getaffinity, 0, 0, 0),
	       "nor anything where all is as the caller has it");
}
#else
static void test_shared_network(void) {}
static void test_refusals(void) {}
static void test_usual_calls(void) {}
static void test_locks(void) {}
static void test_powers(void) {}
static void test_others(void) {}
static void test_context(void) {}
#endif

int main(void)
{
	test_usual_calls();
	test_locks();
	test_powers();
	test_others();
	test_shared_network();
	test_refusals();
	test_context();
	struct filter filter;
	filter_make(&filter, &(struct filter_options){ .network = NETWORK_SHARED, .lack = { UINT32_MAX, true, true } });
	tap_ok(filter.length > 0 && filter.length <= FILTER_LENGTH_MAX, "the filter has room");
	return tap_done();
}
