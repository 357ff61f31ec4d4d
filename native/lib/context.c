#include "context.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#define SIGNAL_COUNT 64

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
	context->personality = (uint32_t)personality(0xffffffff);
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
	frame_put_u32(out, context->personality);
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
	context->personality = frame_get_u32(in);
	int failed = get_name(in, context->host);
	return failed ? failed : get_name(in, context->domain);
}

static void apply_limit(__rlimit_resource_t resource, uint64_t soft, uint64_t hard)
{
	struct rlimit limit = { soft, hard }, ours;
	if (setrlimit(resource, &limit) == 0 || getrlimit(resource, &ours) < 0)
		return;
	limit.rlim_max = hard < ours.rlim_max ? hard : ours.rlim_max;
	limit.rlim_cur = soft < limit.rlim_max ? soft : limit.rlim_max;
	(void)setrlimit(resource, &limit);
}

void context_apply(const struct context *context)
{
	for (int number = 1; number <= SIGNAL_COUNT; number++)
		signal(number, context->ignored_signals & 1ull << (number - 1) ? SIG_IGN : SIG_DFL);
	for (unsigned i = 0; i < CONTEXT_LIMITS; i++)
		apply_limit((__rlimit_resource_t)i, context->limits[i].soft, context->limits[i].hard);
	(void)personality(context->personality);
}
