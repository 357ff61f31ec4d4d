/*
 * Two of these in two jobs try to reach each other: `reach serve WAY`, which waits a while for a descriptor or a
 * connection, and `reach seek WAY`, which tries for as long to give it one. Whoever succeeds says `reached`.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PORT 18444
#define STEP_MS 50
#define STEPS 30

static int reached(void)
{
	puts("reached");
	return 0;
}

static int wait_at(int fd)
{
	struct pollfd wanted = { .fd = fd, .events = POLLIN };
	return fd >= 0 && poll(&wanted, 1, STEP_MS * STEPS) > 0 ? reached() : 0;
}

/* An abstract address that the kernel chooses: no call that has the name. */
static int serve_unnamed(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	return bind(fd, (struct sockaddr *)&address, sizeof address.sun_family) < 0 ? 0 : wait_at(fd);
}

static int give_descriptor(int fd, const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	memcpy(address.sun_path + 1, name, 5);
	int given = open(".", O_RDONLY | O_DIRECTORY);
	char room[CMSG_SPACE(sizeof given)] = { 0 };
	struct iovec data = { "x", 1 };
	struct msghdr message = { .msg_name = &address, .msg_namelen = sizeof address.sun_family + 6, .msg_iov = &data,
				  .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room };
	*CMSG_FIRSTHDR(&message) = (struct cmsghdr){ CMSG_LEN(sizeof given), SOL_SOCKET, SCM_RIGHTS };
	memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), &given, sizeof given);
	int sent = sendmsg(fd, &message, 0) == 1;
	close(given);
	return sent;
}

static int seek_unnamed(void)
{
	/* Not by socket(2). */
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) < 0)
		return 0;
	for (int i = 0; i < STEPS; i++) {
		FILE *table = fopen("/proc/self/net/unix", "r");
		char line[512], *name;
		while (table != NULL && fgets(line, sizeof line, table) != NULL) {
			if ((name = strrchr(line, '@')) != NULL && strlen(name) == 7 && give_descriptor(pair[0], name + 1))
				return reached();
		}
		if (table != NULL)
			fclose(table);
		usleep(STEP_MS * 1000);
	}
	return 0;
}

#if defined(__x86_64__)
/* socketcall(2) of 32-bit programs; its arguments have to lie where they find them. */
static int call32(int number, uint32_t a, uint32_t b, uint32_t c)
{
	uint32_t *arguments = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	memcpy(arguments, (uint32_t[]){ a, b, c }, 12);
	long result;
	__asm__ volatile("int $0x80" : "=a"(result) : "a"(102l), "b"((long)number), "c"(arguments) : "memory", "r8", "r9", "r10", "r11");
	return (int)result;
}

static int loopback32(int number)
{
	struct sockaddr_in *address = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	*address = (struct sockaddr_in){ AF_INET, htons(PORT), { htonl(INADDR_LOOPBACK) }, { 0 } };
	int fd = call32(1, AF_INET, SOCK_STREAM, 0);
	return fd < 0 || call32(number, (uint32_t)fd, (uint32_t)(uintptr_t)address, sizeof *address) < 0 ? -1 : fd;
}

static int serve_compatible(void)
{
	int fd = loopback32(2);
	return fd < 0 || listen(fd, 1) < 0 ? 0 : wait_at(fd);
}

static int seek_compatible(void)
{
	for (int i = 0; i < STEPS; i++) {
		if (loopback32(3) >= 0)
			return reached();
		usleep(STEP_MS * 1000);
	}
	return 0;
}
#else
static int serve_compatible(void) { return 0; }
static int seek_compatible(void) { return 0; }
#endif

/* As every program does it. */
static int loopback(int (*use)(int, const struct sockaddr *, socklen_t))
{
	struct sockaddr_in address = { AF_INET, htons(PORT), { htonl(INADDR_LOOPBACK) }, { 0 } };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	if (use(fd, (struct sockaddr *)&address, sizeof address) == 0)
		return fd;
	close(fd);
	return -1;
}

static int serve_port(void)
{
	int fd = loopback(bind);
	return fd < 0 || listen(fd, 1) < 0 ? 0 : wait_at(fd);
}

static int seek_port(void)
{
	for (int i = 0; i < STEPS; i++) {
		if (loopback(connect) >= 0)
			return reached();
		usleep(STEP_MS * 1000);
	}
	return 0;
}

static const struct {
	const char *name;
	int (*serve)(void), (*seek)(void);
} ways[] = {
	{ "unnamed", serve_unnamed, seek_unnamed },
	{ "compatible", serve_compatible, seek_compatible },
	{ "port", serve_port, seek_port },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 3 && i < sizeof ways / sizeof *ways; i++) {
		if (strcmp(argv[2], ways[i].name) == 0)
			return strcmp(argv[1], "serve") == 0 ? ways[i].serve() : ways[i].seek();
	}
	return 2;
}
