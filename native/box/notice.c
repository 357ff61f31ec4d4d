#include "notice.h"

#include "fd.h"
#include "wire.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#define TCP_LISTENING 0x0a /* TCP_LISTEN, as /proc/net/tcp has it */
#define FILE_MAX 65536	   /* of what is read of a file in /proc */

/* Names of what a job without the powers is refused, for people. What is not here has a case of its own. */
static const struct {
	long call;
	const char *name;
} privileges[] = {
#ifdef SYS_chown
	{ SYS_chown, "chown" },
	{ SYS_lchown, "chown" },
#endif
	{ SYS_fchown, "chown" },
	{ SYS_fchownat, "chown" },
#ifdef SYS_mknod
	{ SYS_mknod, "mknod" },
#endif
	{ SYS_mknodat, "mknod" },
	{ SYS_setuid, "another user's id" },
	{ SYS_setreuid, "another user's id" },
	{ SYS_setresuid, "another user's id" },
	{ SYS_setgid, "another group's id" },
	{ SYS_setregid, "another group's id" },
	{ SYS_setresgid, "another group's id" },
	{ SYS_setgroups, "another group's id" },
	{ SYS_mount, "mount" },
	{ SYS_umount2, "umount" },
	{ SYS_fsopen, "mount" },
	{ SYS_fspick, "mount" },
	{ SYS_open_tree, "mount" },
	{ SYS_move_mount, "mount" },
	{ SYS_mount_setattr, "mount" },
	{ SYS_pivot_root, "pivot_root" },
	{ SYS_chroot, "chroot" },
	{ SYS_setns, "setns" },
	{ SYS_unshare, "namespaces of its own" },
	{ SYS_clone, "namespaces of its own" },
	{ SYS_keyctl, "the kernel's keyrings" },
	{ SYS_add_key, "the kernel's keyrings" },
	{ SYS_request_key, "the kernel's keyrings" },
	{ SYS_perf_event_open, "perf_event_open" },
	{ SYS_bpf, "bpf" },
};

static void tell(const struct notices *notices, uint32_t kind, const char *text)
{
	unsigned char record[PIPE_BUF];
	uint32_t length = (uint32_t)strnlen(text, sizeof record - 2 * sizeof kind);
	memcpy(record, &kind, sizeof kind);
	memcpy(record + sizeof kind, &length, sizeof length);
	memcpy(record + 2 * sizeof kind, text, length);
	(void)fd_write_all(notices->pipe, record, 2 * sizeof kind + length);
}

/* The beginning of a file in /proc, as a string; malloc'ed, NULL when it cannot be read. */
static char *read_file(const char *path)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text = fd < 0 ? NULL : malloc(FILE_MAX + 1);
	size_t length = 0;
	while (text != NULL && length < FILE_MAX) {
		ssize_t got = RETRY_EINTR(read(fd, text + length, FILE_MAX - length));
		if (got <= 0)
			break;
		length += (size_t)got;
	}
	if (text != NULL)
		text[length] = 0;
	return text;
}

static uint32_t last_process(void)
{
	AUTO_FREE char *text = read_file("/proc/sys/kernel/ns_last_pid");
	return text == NULL ? 0 : (uint32_t)strtoul(text, NULL, 10);
}

/* Copies out of the memory of a thread that waits for us; false when it cannot be read. */
static bool read_memory(uint32_t thread, uint64_t address, void *to, size_t length)
{
	char path[40];
	snprintf(path, sizeof path, "/proc/%u/mem", thread);
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && RETRY_EINTR(pread64(fd, to, length, (off64_t)address)) == (ssize_t)length;
}

/* A string of at most `size - 1` bytes, which may end before a page that cannot be read. */
static bool read_string(uint32_t thread, uint64_t address, char *to, size_t size)
{
	size_t length = 0;
	while (length + 1 < size && read_memory(thread, address + length, to + length, 1) && to[length] != 0)
		length++;
	to[length] = 0;
	return length > 0;
}

/*
 * A lock matters when others can see the file. They cannot when it has no name; of those with one the supervisor knows.
 */
static void notice_lock(const struct notices *notices, const struct seccomp_notif *call)
{
	char path[40], target[PATH_MAX];
	snprintf(path, sizeof path, "/proc/%u/fd/%d", call->pid, (int)call->data.args[0]);
	ssize_t length = readlink(path, target, sizeof target - 1);
	/* A program that hides its descriptors: whatever it is. */
	if (length < 0 && errno != ENOENT) {
		tell(notices, NOTICED_LOCK, "");
		return;
	}
	target[length < 0 ? 0 : length] = 0;
	static const char gone[] = " (deleted)";
	bool is_gone = length > (ssize_t)sizeof gone && strcmp(target + length - (ssize_t)sizeof gone + 1, gone) == 0;
	if (target[0] == '/' && !is_gone && strncmp(target, "/memfd:", 7) != 0)
		tell(notices, NOTICED_LOCK, target);
}

static bool is_loopback(const struct sockaddr_storage *address, uint16_t *port)
{
	if (address->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)address;
		uint32_t number = ntohl(in->sin_addr.s_addr);
		*port = ntohs(in->sin_port);
		return number >> 24 == 127 || number == INADDR_ANY;
	}
	const struct sockaddr_in6 *in6 = (const void *)address;
	const struct in6_addr *number = &in6->sin6_addr;
	*port = ntohs(in6->sin6_port);
	return IN6_IS_ADDR_LOOPBACK(number) || IN6_IS_ADDR_UNSPECIFIED(number) ||
	       (IN6_IS_ADDR_V4MAPPED(number) && (number->s6_addr[12] == 127 || number->s6_addr[12] == 0));
}

/* Whether any process of the job listens on the port. Source: proc(5), /proc/net/tcp. */
static bool is_listened_to(uint16_t port)
{
	static const char *const tables[] = { "/proc/self/net/tcp", "/proc/self/net/tcp6" };
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
		AUTO_FREE char *table = read_file(tables[i]);
		for (const char *line = table; line != NULL; line = strchr(line + 1, '\n')) {
			unsigned local, state;
			if (sscanf(line, "%*[ \n0-9]: %*[0-9A-F]:%x %*[0-9A-F]:%*x %x", &local, &state) == 2 &&
			    local == port && state == TCP_LISTENING)
				return true;
		}
	}
	return false;
}

/* Connections to a server that is not up yet are tried again, and at last succeed. */
static void note_port(struct notices *notices, uint16_t port)
{
	bool is_heard = is_listened_to(port);
	for (size_t i = 0; i < notices->unheard_count; i++) {
		if (notices->unheard[i] != port)
			continue;
		if (is_heard)
			notices->unheard[i] = notices->unheard[--notices->unheard_count];
		return;
	}
	if (!is_heard && notices->unheard_count < UNHEARD_MAX)
		notices->unheard[notices->unheard_count++] = port;
}

/* Whether the job has to be begun anew before it does what it is about to do. */
static bool needs_network(struct notices *notices)
{
	if (notices->network != NETWORK_SHARED)
		return false;
	tell(notices, NOTICE_SOCKET, "");
	notices->is_over = true;
	return true;
}

/* An abstract name is known in its own network namespace only. */
static void notice_abstract(const struct notices *notices, const struct sockaddr_un *address, size_t length)
{
	char name[sizeof address->sun_path + 1] = "@";
	size_t name_length = length - offsetof(struct sockaddr_un, sun_path);
	for (size_t i = 1; i < name_length; i++)
		name[i] = address->sun_path[i] ? address->sun_path[i] : '@';
	name[name_length] = 0;
	AUTO_FREE char *table = read_file("/proc/self/net/unix");
	for (const char *found = table; found != NULL && (found = strstr(found, name)) != NULL; found++) {
		if (found[name_length] == '\n')
			return;
	}
	tell(notices, NOTICED_HIDDEN, name);
}

static bool is_abstract(const struct sockaddr_un *address, size_t length)
{
	return length > offsetof(struct sockaddr_un, sun_path) + 1 && length <= sizeof *address && address->sun_path[0] == 0;
}

/*
 * In the network that jobs share nobody is bound to anything, so no local socket can be connected to a path: what the kernel would
 * say is known by a look at it. The call itself must not happen, for its address may be another, an abstract one, by the time that
 * the kernel reads it. Answers -errno, or 0 when the job has to be begun anew.
 */
static int answer_connect(struct notices *notices, const struct seccomp_notif *call)
{
	union {
		struct sockaddr_un address;
		char room[sizeof(struct sockaddr_un) + 1]; /* a path may have no NUL */
	} in = { .room = { 0 } };
	uint64_t length = call->data.args[2] & UINT32_MAX;
	if (length <= offsetof(struct sockaddr_un, sun_path) || length > sizeof in.address)
		return -EINVAL;
	if (!read_memory(call->pid, call->data.args[1], &in, (size_t)length))
		return -EFAULT;
	if (in.address.sun_family != AF_UNIX)
		return -EINVAL;
	if (is_abstract(&in.address, (size_t)length) && needs_network(notices))
		return 0;
	char path[40];
	snprintf(path, sizeof path, "/proc/%u/cwd", call->pid);
	AUTO_CLOSE int cwd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat st;
	return fstatat(cwd, in.address.sun_path, &st, 0) < 0 ? -errno : -ECONNREFUSED;
}

static void notice_address(struct notices *notices, const struct seccomp_notif *call, bool is_connect)
{
	struct sockaddr_storage address = { 0 };
	uint64_t length = call->data.args[2] & UINT32_MAX;
	if (length > sizeof address || length < sizeof address.ss_family ||
	    !read_memory(call->pid, call->data.args[1], &address, (size_t)length))
		return;
	uint16_t port;
	switch (address.ss_family) {
	case AF_UNIX: {
		const struct sockaddr_un *local = (const void *)&address;
		if (is_connect && is_abstract(local, (size_t)length))
			notice_abstract(notices, local, (size_t)length);
		return;
	}
	case AF_INET:
	case AF_INET6:
		if (!is_loopback(&address, &port))
			tell(notices, NOTICED_NETWORK, "");
		else if (is_connect)
			note_port(notices, port);
		return;
	default:
		return;
	}
}

/* A process of which nothing is known in here may be one that another command has started. */
static void notice_process(const struct notices *notices, const struct seccomp_notif *call)
{
	int32_t process = (int32_t)call->data.args[0];
	uint32_t number = process < 0 ? 0u - (uint32_t)process : (uint32_t)process;
	bool is_own = number > notices->first_process && number <= last_process();
	if (number == 1 || is_own)
		return;
	char text[40];
	snprintf(text, sizeof text, "process %u", number);
	tell(notices, NOTICED_HIDDEN, text);
}

/* Whether a thread is at work, or waits for a disk. */
static bool is_at_work(const char *process, const char *thread)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%.16s/task/%.16s/stat", process, thread);
	AUTO_FREE char *stat = read_file(path);
	/* Its name, in parentheses, may have any. */
	const char *name_end = stat ? strrchr(stat, ')') : NULL;
	return name_end != NULL && name_end[1] == ' ' && (name_end[2] == 'R' || name_end[2] == 'D');
}

static bool has_thread_at_work(const char *process)
{
	char path[40];
	snprintf(path, sizeof path, "/proc/%.16s/task", process);
	DIR *threads = opendir(path);
	bool found = false;
	for (struct dirent *entry; threads != NULL && !found && (entry = readdir(threads)) != NULL;)
		found = entry->d_name[0] != '.' && is_at_work(process, entry->d_name);
	if (threads != NULL)
		closedir(threads);
	return found;
}

/* Who sleeps while others of its job work waits for them. */
static bool is_job_at_work(void)
{
	DIR *processes = opendir("/proc");
	bool found = false;
	for (struct dirent *entry; processes != NULL && !found && (entry = readdir(processes)) != NULL;) {
		const char *name = entry->d_name;
		found = name[0] >= '1' && name[0] <= '9' && strcmp(name, "1") != 0 && has_thread_at_work(name);
	}
	if (processes != NULL)
		closedir(processes);
	return found;
}

/* What others do while a job runs it does not see: one that waits for them would wait forever. */
static void notice_sleep(struct notices *notices)
{
	if (notices->sleep_count < SLEEPS_MAX && !is_job_at_work() && ++notices->sleep_count == SLEEPS_MAX)
		tell(notices, NOTICED_LOCK, "");
}

/* Whether an object of System V has the key. Source: proc(5), /proc/sysvipc. */
static bool is_key_known(const char *table_path, int32_t key)
{
	AUTO_FREE char *table = read_file(table_path);
	for (const char *line = table ? strchr(table, '\n') : NULL; line != NULL; line = strchr(line + 1, '\n')) {
		if (strtol(line, NULL, 10) == key && line[1] != 0)
			return true;
	}
	return false;
}

static void notice_key(struct notices *notices, const struct seccomp_notif *call)
{
	notices->has_objects = true;
	bool is_segment = call->data.nr == SYS_shmget, is_queue = call->data.nr == SYS_msgget;
	int flags = (int)call->data.args[is_queue ? 1 : 2];
	const char *table = is_segment ? "/proc/sysvipc/shm" : is_queue ? "/proc/sysvipc/msg" : "/proc/sysvipc/sem";
	if (!(flags & IPC_CREAT) && !is_key_known(table, (int32_t)call->data.args[0]))
		tell(notices, NOTICED_HIDDEN, "an object of System V IPC");
}

/* What there is to say about most sockets is known at the end. */
static void notice_socket(struct notices *notices, const struct seccomp_notif *call)
{
	uint64_t family = call->data.args[0], type = call->data.args[1] & 0xf, protocol = call->data.args[2];
	bool is_internet = family == AF_INET || family == AF_INET6;
	if (needs_network(notices))
		return;
	notices->has_sockets = true;
	if (family == AF_ALG)
		return;
	if (is_internet && type != SOCK_RAW && protocol != IPPROTO_ICMP && protocol != IPPROTO_ICMPV6)
		return;
	if (family != AF_NETLINK)
		tell(notices, NOTICED_NETWORK, "");
}

static void notice_attribute(const struct notices *notices, const struct seccomp_notif *call)
{
	char name[32];
	if (read_string(call->pid, call->data.args[1], name, sizeof name) &&
	    (strncmp(name, "security.", 9) == 0 || strncmp(name, "trusted.", 8) == 0))
		tell(notices, NOTICED_PRIVILEGE, "setxattr");
}

/* To come down is allowed to everybody. */
static void notice_priority(const struct notices *notices, const struct seccomp_notif *call)
{
	uint32_t who = (uint32_t)call->data.args[1];
	errno = 0;
	int now = getpriority(PRIO_PROCESS, who == 0 ? call->pid : who), wanted = (int)call->data.args[2];
	if ((int)call->data.args[0] != PRIO_PROCESS || errno != 0 || wanted < now)
		tell(notices, NOTICED_PRIVILEGE, "a higher priority");
}

#if defined(__x86_64__)
/* Source: filter.c, compatible_rules. */
static int notice_compatible(struct notices *notices, const struct seccomp_notif *call)
{
	switch (call->data.nr) {
	case 55:
	case 221:
	case 143:
		notice_lock(notices, call);
		return 0;
	case 102:
	case 359:
	case 360:
	case 361:
	case 362:
		(void)needs_network(notices);
		return 0;
	default:
		tell(notices, NOTICED_PRIVILEGE, "a system call that sandboxes refuse");
		return -EPERM;
	}
}
#endif

/* Answers what the caller gets: 0, the call happens, or -errno. */
static int notice(struct notices *notices, const struct seccomp_notif *call)
{
#if defined(__x86_64__)
	if (call->data.arch == AUDIT_ARCH_I386)
		return notice_compatible(notices, call);
#endif
	switch (call->data.nr) {
	case SYS_fcntl:
#ifdef SYS_flock
	case SYS_flock:
#endif
		notice_lock(notices, call);
		return 0;
	case SYS_mq_open:
		tell(notices, NOTICED_LOCK, "");
		return 0;
	case SYS_kill:
	case SYS_pidfd_open:
		notice_process(notices, call);
		return 0;
	case SYS_socket:
	case SYS_socketpair:
		notice_socket(notices, call);
		return 0;
	case SYS_connect:
		if (notices->network == NETWORK_SHARED)
			return answer_connect(notices, call);
		notice_address(notices, call, true);
		return 0;
	case SYS_bind:
		if (!needs_network(notices))
			notice_address(notices, call, false);
		return 0;
	case SYS_clock_nanosleep:
#ifdef SYS_select
	case SYS_select:
#endif
	case SYS_pselect6:
#ifdef SYS_poll
	case SYS_poll:
#endif
	case SYS_ppoll:
		notice_sleep(notices);
		return 0;
	case SYS_shmget:
	case SYS_semget:
	case SYS_msgget:
		notice_key(notices, call);
		return 0;
#ifdef SYS_getrlimit
	case SYS_getrlimit:
#endif
	case SYS_prlimit64:
		tell(notices, NOTICED_HIDDEN, "a limit of its caller");
		return 0;
	case SYS_getpriority:
		tell(notices, NOTICED_HIDDEN, "the niceness of its caller");
		return 0;
	case SYS_sched_getaffinity:
		tell(notices, NOTICED_HIDDEN, "the processors of its caller");
		return 0;
	case SYS_setpriority:
		notice_priority(notices, call);
		return 0;
	case SYS_setxattr:
	case SYS_lsetxattr:
	case SYS_fsetxattr:
		notice_attribute(notices, call);
		return 0;
	default:
		break;
	}
	const char *name = "a system call of root's";
	for (size_t i = 0; i < sizeof privileges / sizeof *privileges; i++) {
		if (privileges[i].call == call->data.nr)
			name = privileges[i].name;
	}
	tell(notices, NOTICED_PRIVILEGE, name);
	return -EPERM;
}

static int install(const struct filter *filter, unsigned flags)
{
	struct sock_fprog program = { (unsigned short)filter->length, (struct sock_filter *)(uintptr_t)filter->code };
	/* SPEC_ALLOW: all that a job could learn by speculation in its own processes is its own. */
	int listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags | SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program);
	return listener < 0 ? -1 : listener;
}

static enum filter_network network_of(const struct sandbox *sandbox)
{
	if (sandbox->request->flags & JOB_NETWORK)
		return NETWORK_MACHINE;
	return sandbox->network < 0 ? NETWORK_OWN : NETWORK_SHARED;
}

void notices_begin(struct notices *notices, const struct sandbox *sandbox, struct context_lack lack)
{
	const struct job_request *request = sandbox->request;
	*notices = (struct notices){ .pipe = sandbox->notices,
				     .network = network_of(sandbox),
				     .first_process = last_process() };
	struct filter_options options = {
		.uid = request->uid, .gid = request->gid, .network = notices->network, .lack = lack
	};
	struct filter filter;
	filter_make(&filter, &options);
	notices->listener = install(&filter, SECCOMP_FILTER_FLAG_NEW_LISTENER);
	if (notices->listener >= 0)
		return;
	/* Nobody will say that it asks for a socket. */
	while (needs_network(notices))
		pause();
	options.is_unheard = true;
	filter_make(&filter, &options);
	(void)install(&filter, 0);
}

void notices_serve(struct notices *notices)
{
	/* Larger than what any kernel known has; the kernel wants them to be zero. */
	union {
		struct seccomp_notif call;
		unsigned char room[512];
	} in = { .room = { 0 } };
	union {
		struct seccomp_notif_resp answer;
		unsigned char room[512];
	} out = { .room = { 0 } };
	/* ENOENT: the caller was killed meanwhile. */
	if (ioctl(notices->listener, SECCOMP_IOCTL_NOTIF_RECV, &in) < 0)
		return;
	int error = notice(notices, &in.call);
	if (notices->is_over)
		return; /* the caller waits until it is killed */
	out.answer.id = in.call.id;
	out.answer.error = error;
	out.answer.flags = error ? 0 : (uint32_t)SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	(void)ioctl(notices->listener, SECCOMP_IOCTL_NOTIF_SEND, &out);
}

/*
 * A number of a table that has for each protocol a line of names and then one of numbers. Both begin with the protocol.
 */
static uint64_t counter(const char *table, const char *protocol, const char *name)
{
	const char *names = table ? strstr(table, protocol) : NULL;
	const char *line = names ? strchr(names, '\n') : NULL;
	if (line == NULL)
		return 0;
	const char *at = strchr(names, ' '), *number = strchr(line, ' ');
	while (at != NULL && at < line && number != NULL) {
		size_t length = strcspn(++at, " \n");
		if (length == strlen(name) && strncmp(at, name, length) == 0)
			return strtoull(number, NULL, 10);
		at += length;
		number = strchr(number + 1, ' ');
	}
	return 0;
}

/* A number of a table with one name and number on each line. */
static uint64_t counter6(const char *table, const char *name)
{
	const char *found = table ? strstr(table, name) : NULL;
	return found == NULL ? 0 : strtoull(found + strlen(name), NULL, 10);
}

/* Whether anything was sought that is not in the job's own network. Source: proc(5); net/ipv4/proc.c, net/ipv6/proc.c. */
static bool was_network_sought(const struct notices *notices)
{
	AUTO_FREE char *table = read_file("/proc/self/net/snmp");
	AUTO_FREE char *table6 = read_file("/proc/self/net/snmp6");
	if (counter(table, "Ip:", "OutNoRoutes") > 0 || counter(table, "Udp:", "NoPorts") > 0 ||
	    counter6(table6, "Ip6OutNoRoutes ") > 0 || counter6(table6, "Udp6NoPorts ") > 0)
		return true;
	bool was_refused = counter(table, "Tcp:", "AttemptFails") > 0;
	return was_refused && (notices->listener < 0 || notices->unheard_count > 0);
}

/* Whether a table of System V IPC has more than its line of names. */
static bool has_objects(const char *path)
{
	AUTO_FREE char *table = read_file(path);
	const char *line = table ? strchr(table, '\n') : NULL;
	return line != NULL && line[1] != 0;
}

void notices_running(const struct notices *notices)
{
	tell(notices, NOTICED_RUNNING, "");
}

void notices_end(struct notices *notices)
{
	bool is_filtered = notices->listener >= 0;
	if (notices->network != NETWORK_MACHINE && (notices->has_sockets || !is_filtered) && was_network_sought(notices))
		tell(notices, NOTICED_NETWORK, "");
	if (is_filtered && !notices->has_objects)
		return;
	if (has_objects("/proc/sysvipc/shm") || has_objects("/proc/sysvipc/sem") || has_objects("/proc/sysvipc/msg"))
		tell(notices, NOTICED_LEFT, "an object of System V IPC");
}
