#include "context.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#define SIGNAL_COUNT 64
#define NICENESS_MIN (-20)
/* Those that programs look at, and that do not follow the size of the machine; as in master/counted-context.ts. */
#define COUNTED_LIMITS                                                                                              \
	(1u << RLIMIT_CPU | 1u << RLIMIT_FSIZE | 1u << RLIMIT_DATA | 1u << RLIMIT_STACK | 1u << RLIMIT_CORE |       \
	 1u << RLIMIT_NOFILE | 1u << RLIMIT_AS)

_Static_assert(sizeof(cpu_set_t) == CONTEXT_PROCESSOR_WORDS * sizeof(uint64_t), "one bit for each processor");

/* All zero where there are more than anybody has. */
static void read_processors(uint64_t *processors)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	if (sched_getaffinity(0, sizeof set, &set) == 0)
		memcpy(processors, &set, sizeof set);
}

void context_read(struct context *context)
{
	*context = (struct context){ 0 };
	for (unsigned i = 0; i < CONTEXT_LIMITS; i++) {
		struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };
		(void)getrlimit((__rlimit_resource_t)i, &limit);
		context->limits[i].soft = limit.rlim_cur;
		context->limits[i].hard = limit.rlim_max;
	}
	for (int number = 1; number <= SIGNAL_COUNT; number++) {
		struct sigaction action;
		if (sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
			context->ignored_signals |= 1ull << (number - 1);
	}
	sigset_t blocked;
	for (int number = 1; sigprocmask(SIG_BLOCK, NULL, &blocked) == 0 && number <= SIGNAL_COUNT; number++) {
		if (sigismember(&blocked, number) == 1)
			context->blocked_signals |= 1ull << (number - 1);
	}
	context->personality = (uint32_t)personality(0xffffffff);
	context->niceness = getpriority(PRIO_PROCESS, 0);
	read_processors(context->processors);
	struct utsname names;
	if (uname(&names) == 0) {
		memcpy(context->host, names.nodename, strnlen(names.nodename, CONTEXT_NAME_MAX));
		memcpy(context->domain, names.domainname, strnlen(names.domainname, CONTEXT_NAME_MAX));
	}
}

void context_put(struct frame_out *out, const struct context *context)
{
	size_t count_at = frame_put_count(out);
	for (size_t i = 0; i < CONTEXT_LIMITS; i++) {
		frame_put_u64(out, context->limits[i].soft);
		frame_put_u64(out, context->limits[i].hard);
	}
	frame_set_count(out, count_at, CONTEXT_LIMITS);
	frame_put_u64(out, context->ignored_signals);
	frame_put_u64(out, context->blocked_signals);
	frame_put_u32(out, context->personality);
	frame_put_u32(out, (uint32_t)(context->niceness - NICENESS_MIN));
	uint32_t words = CONTEXT_PROCESSOR_WORDS;
	while (words > 0 && context->processors[words - 1] == 0)
		words--;
	count_at = frame_put_count(out);
	for (uint32_t i = 0; i < words; i++)
		frame_put_u64(out, context->processors[i]);
	frame_set_count(out, count_at, words);
	frame_put_string(out, context->host);
	frame_put_string(out, context->domain);
}

static int get_name(struct frame_in *in, char *name)
{
	struct bytes bytes = frame_get_bytes(in);
	if (in->failed || bytes.length > CONTEXT_NAME_MAX || bytes_contain(bytes, 0))
		return -EBADMSG;
	if (bytes.length > 0)
		memcpy(name, bytes.data, bytes.length);
	return 0;
}

int context_get(struct frame_in *in, struct context *context)
{
	*context = (struct context){ 0 };
	if (frame_get_count(in, 16) != CONTEXT_LIMITS)
		return -EBADMSG;
	for (size_t i = 0; i < CONTEXT_LIMITS; i++) {
		context->limits[i].soft = frame_get_u64(in);
		context->limits[i].hard = frame_get_u64(in);
	}
	context->ignored_signals = frame_get_u64(in);
	context->blocked_signals = frame_get_u64(in);
	context->personality = frame_get_u32(in);
	context->niceness = (int)(frame_get_u32(in) & 63) + NICENESS_MIN;
	uint32_t words = frame_get_count(in, 8);
	if (words > CONTEXT_PROCESSOR_WORDS)
		return -EBADMSG;
	for (uint32_t i = 0; i < words; i++)
		context->processors[i] = frame_get_u64(in);
	int failed = get_name(in, context->host);
	return failed ? failed : get_name(in, context->domain);
}

static bool has_processors(const struct context *context)
{
	static const uint64_t none[CONTEXT_PROCESSOR_WORDS];
	return memcmp(context->processors, none, sizeof none) != 0;
}

void context_claim(const struct context *context)
{
	(void)setpriority(PRIO_PROCESS, 0, context->niceness);
	if (has_processors(context))
		(void)sched_setaffinity(0, sizeof context->processors, (const cpu_set_t *)context->processors);
	for (unsigned i = 0; i < CONTEXT_LIMITS; i++) {
		struct rlimit limit;
		if (getrlimit((__rlimit_resource_t)i, &limit) < 0 || limit.rlim_max >= context->limits[i].hard)
			continue;
		limit.rlim_max = context->limits[i].hard;
		(void)setrlimit((__rlimit_resource_t)i, &limit);
	}
}

struct context_lack context_fit(struct context *context)
{
	uint64_t processors[CONTEXT_PROCESSOR_WORDS] = { 0 };
	read_processors(processors);
	struct context_lack lack = {
		.niceness = getpriority(PRIO_PROCESS, 0) != context->niceness,
		.processors = has_processors(context) && memcmp(processors, context->processors, sizeof processors) != 0,
	};
	for (unsigned i = 0; i < CONTEXT_LIMITS; i++) {
		struct rlimit ours;
		uint64_t *soft = &context->limits[i].soft, *hard = &context->limits[i].hard;
		if (getrlimit((__rlimit_resource_t)i, &ours) < 0 || *hard <= ours.rlim_max)
			continue;
		*hard = ours.rlim_max;
		*soft = *soft < *hard ? *soft : *hard;
		if (COUNTED_LIMITS & 1u << i)
			lack.limits |= 1u << i;
	}
	return lack;
}

void context_apply(const struct context *context)
{
	for (int number = 1; number <= SIGNAL_COUNT; number++)
		signal(number, context->ignored_signals & 1ull << (number - 1) ? SIG_IGN : SIG_DFL);
	for (unsigned i = 0; i < CONTEXT_LIMITS; i++)
		(void)setrlimit((__rlimit_resource_t)i,
				&(struct rlimit){ context->limits[i].soft, context->limits[i].hard });
	(void)personality(context->personality);
	sigset_t blocked;
	sigemptyset(&blocked);
	for (int number = 1; number <= SIGNAL_COUNT; number++) {
		if (context->blocked_signals & 1ull << (number - 1))
			sigaddset(&blocked, number);
	}
	sigprocmask(SIG_SETMASK, &blocked, NULL);
}
