#include "request.h"

#include "frame.h"
#include "path.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

static int get_string(struct frame_in *in, char **string)
{
	struct bytes bytes = frame_get_bytes(in);
	if (in->failed || bytes_contain(bytes, 0))
		return -EBADMSG;
	*string = bytes_to_string(bytes);
	return *string == NULL ? -ENOMEM : 0;
}

static int get_path(struct frame_in *in, char **path)
{
	int failed = get_string(in, path);
	if (failed)
		return failed;
	/* One that no system call takes could only be deeper than what goes through it can bear. */
	if (**path != '/' || strlen(*path) >= PATH_MAX)
		return -EBADMSG;
	path_clean(*path);
	return 0;
}

static int get_optional_path(struct frame_in *in, char **path)
{
	struct frame_in ahead = *in;
	if (frame_get_bytes(&ahead).length == 0)
		return get_string(in, path);
	return get_path(in, path);
}

static int get_strings(struct frame_in *in, char ***strings)
{
	uint32_t count = frame_get_count(in, 4);
	*strings = calloc((size_t)count + 1, sizeof(char *));
	if (*strings == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		int failed = get_string(in, &(*strings)[i]);
		if (failed)
			return failed;
	}
	return in->failed ? -EBADMSG : 0;
}

static int get_directories(struct frame_in *in, struct job_request *request)
{
	uint32_t count = frame_get_count(in, 16);
	request->directories = calloc((size_t)count + 1, sizeof *request->directories);
	if (request->directories == NULL)
		return -ENOMEM;
	request->directory_count = count;
	for (uint32_t i = 0; i < count; i++) {
		request->directories[i].digest = frame_get_digest(in);
		request->directories[i].blob = frame_get_bytes(in);
		if (!digest_is_valid(request->directories[i].digest))
			return -EBADMSG;
	}
	return in->failed ? -EBADMSG : 0;
}

static int get_shown(struct frame_in *in, struct job_request *request)
{
	uint32_t count = frame_get_count(in, 8);
	request->shown = calloc((size_t)count + 1, sizeof *request->shown);
	if (request->shown == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		char *path = NULL;
		int failed = get_path(in, &path);
		request->shown[i].path = path;
		request->shown_count = i + 1;
		if (failed)
			return failed;
		request->shown[i].mode = frame_get_u32(in) & 07777;
	}
	return in->failed ? -EBADMSG : 0;
}

int request_parse(struct job_request *request, struct bytes payload, const char **field)
{
	*request = (struct job_request){ .payload = malloc(payload.length + 1) };
	*field = "payload";
	if (request->payload == NULL)
		return -ENOMEM;
	if (payload.length > 0)
		memcpy(request->payload, payload.data, payload.length);
	struct frame_in in = frame_in_of((struct bytes){ request->payload, payload.length });
	int failed;
#define GET(name, call)     \
	*field = (name);    \
	failed = (call);    \
	if (failed)         \
	return failed
	GET("job directory", get_path(&in, &request->job_dir));
	GET("system directory", get_path(&in, &request->system_dir));
	GET("project root", get_path(&in, &request->project_root));
	request->root = frame_get_digest(&in);
	GET("root digest", digest_is_valid(request->root) ? 0 : -EBADMSG);
	GET("arguments", get_strings(&in, &request->argv));
	GET("arguments", request->argv[0] != NULL ? 0 : -EBADMSG);
	GET("environment", get_strings(&in, &request->env));
	GET("working directory", get_path(&in, &request->cwd));
	request->umask = frame_get_u32(&in);
	request->uid = frame_get_u32(&in);
	request->gid = frame_get_u32(&in);
	request->host_uid = frame_get_u32(&in);
	request->host_gid = frame_get_u32(&in);
	request->flags = frame_get_u32(&in);
	request->timeout_ms = frame_get_u64(&in);
	request->memory_bytes = frame_get_u64(&in);
	GET("home", get_optional_path(&in, &request->home));
	GET("shown directories", get_shown(&in, request));
	GET("context", context_get(&in, &request->context));
	GET("directories", get_directories(&in, request));
	GET("end of the payload", frame_in_done(&in) ? 0 : -EBADMSG);
#undef GET
	return 0;
}

static void free_strings(char **strings)
{
	for (size_t i = 0; strings != NULL && strings[i] != NULL; i++)
		free(strings[i]);
	free(strings);
}

void request_free(struct job_request *request)
{
	free(request->job_dir);
	free(request->system_dir);
	free(request->project_root);
	free(request->cwd);
	free(request->home);
	free_strings(request->argv);
	free_strings(request->env);
	free(request->directories);
	for (size_t i = 0; i < request->shown_count; i++)
		free((void *)(uintptr_t)request->shown[i].path);
	free(request->shown);
	free(request->payload);
	*request = (struct job_request){ 0 };
}
