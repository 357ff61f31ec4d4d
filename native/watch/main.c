/* termite-watch: tells the master what has changed, and who has ended. Frames on stdin and stdout; ends with stdin. */
#include "fd.h"
#include "frame_io.h"
#include "log.h"
#include "mounts.h"
#include "processes.h"
#include "watcher.h"
#include "wire.h"
#include "writers.h"

/*
 * How long to let events gather. A busy build causes thousands a second; waking up for each would take the processor from
 * it. The kernel's queue holds 16,384 events by default, far more than a machine can cause in that time.
 */
#define REST_MS 10

static void put_ready(struct frame_out *out, uint32_t id, int error, const char *message, size_t directory_count)
{
	frame_begin(out, WATCH_READY);
	frame_put_u32(out, id);
	frame_put_u32(out, (uint32_t)error);
	frame_put_string(out, error ? message : "");
	frame_put_u32(out, (uint32_t)directory_count);
	frame_end(out);
}

/* All that is watched. */
struct watch {
	struct watcher watcher;
	int processes; /* see processes.h */
	int mounts;    /* see mounts.h */
};

static void put_changed(struct frame_out *out, uint32_t id, const struct watcher *watcher, bool have_mounts_changed)
{
	bool is_everything = watcher->events_lost || watcher->is_incomplete;
	frame_begin(out, WATCH_CHANGED);
	frame_put_u32(out, id);
	frame_put_u32(out, (is_everything ? CHANGED_OVERFLOW : 0u) | (have_mounts_changed ? CHANGED_MOUNTS : 0u));
	size_t count_at = frame_put_count(out);
	for (size_t i = 0; i < watcher->changed.capacity; i++) {
		const struct watcher_path *path = watcher->changed.slots[i].item;
		if (path == NULL)
			continue;
		frame_put_bytes(out, (struct bytes){ (const unsigned char *)path->text, path->length });
		frame_put_u32(out, path->is_written ? CHANGED_WRITTEN : 0);
	}
	frame_set_count(out, count_at, (uint32_t)watcher->changed.count);
	frame_end(out);
}

/* 0 or -EBADMSG. */
static int watch_tree(struct watcher *watcher, struct frame_in *in, struct frame_out *out)
{
	uint32_t id = frame_get_u32(in);
	struct bytes root = frame_get_bytes(in);
	uint32_t count = frame_get_count(in, 4);
	AUTO_FREE struct bytes *excluded = calloc(count + 1, sizeof *excluded);
	if (excluded == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++)
		excluded[i] = frame_get_bytes(in);
	if (!frame_in_done(in))
		return -EBADMSG;
	size_t directory_count = 0;
	int failed = watcher_add_tree(watcher, root, excluded, count, &directory_count);
	put_ready(out, id, -failed, watcher->message, failed ? 0 : directory_count);
	return 0;
}

static int watch_dir(struct watcher *watcher, struct frame_in *in, struct frame_out *out)
{
	uint32_t id = frame_get_u32(in);
	struct bytes path = frame_get_bytes(in);
	if (!frame_in_done(in))
		return -EBADMSG;
	int failed = watcher_add_dir(watcher, path);
	put_ready(out, id, -failed, watcher->message, failed ? 0 : 1);
	return 0;
}

static int drain(struct watch *watch, struct frame_in *in, struct frame_out *out)
{
	uint32_t id = frame_get_u32(in);
	if (!frame_in_done(in))
		return -EBADMSG;
	watcher_drain(&watch->watcher);
	put_changed(out, id, &watch->watcher, mounts_have_changed(watch->mounts));
	watcher_forget_changed(&watch->watcher);
	return 0;
}

static int find_writers(struct frame_in *in, struct frame_out *out)
{
	uint32_t id = frame_get_u32(in);
	uint32_t path_count = frame_get_count(in, 4);
	frame_begin(out, WATCH_WRITERS);
	frame_put_u32(out, id);
	size_t count_at = frame_put_count(out);
	uint32_t count = 0;
	for (uint32_t i = 0; i < path_count; i++) {
		AUTO_FREE char *path = bytes_to_string(frame_get_bytes(in));
		if (path == NULL)
			return -EBADMSG;
		if (!writers_has(path))
			continue;
		frame_put_u32(out, i);
		count++;
	}
	frame_set_count(out, count_at, count);
	frame_end(out);
	return frame_in_done(in) ? 0 : -EBADMSG;
}

static int unwatch_dir(struct watcher *watcher, struct frame_in *in)
{
	struct bytes path = frame_get_bytes(in);
	if (!frame_in_done(in))
		return -EBADMSG;
	watcher_remove_dir(watcher, path);
	return 0;
}

static void put_ended(struct frame_out *out, uint32_t id)
{
	frame_begin(out, WATCH_PROCESS_ENDED);
	frame_put_u32(out, id);
	frame_end(out);
}

static int watch_process(int processes, struct frame_in *in, struct frame_out *out)
{
	uint32_t id = frame_get_u32(in);
	uint32_t process = frame_get_u32(in);
	if (!frame_in_done(in))
		return -EBADMSG;
	/* What cannot be watched counts as ended: nobody shall wait for it in vain. */
	if (processes_watch(processes, id, process) != 0)
		put_ended(out, id);
	return 0;
}

static int report_ended(int processes)
{
	AUTO_FRAME_OUT struct frame_out out = { 0 };
	uint32_t id;
	while (processes_take_ended(processes, &id))
		put_ended(&out, id);
	return frame_out_write_all(&out, 1);
}

static int take_frame(struct watch *watch, const struct frame *frame, struct frame_out *out)
{
	struct frame_in in = frame_in_of(frame->payload);
	switch (frame->type) {
	case WATCH_TREE:
		return watch_tree(&watch->watcher, &in, out);
	case WATCH_DIR:
		return watch_dir(&watch->watcher, &in, out);
	case WATCH_DRAIN:
		return drain(watch, &in, out);
	case UNWATCH_DIR:
		return unwatch_dir(&watch->watcher, &in);
	case WATCH_PROCESS:
		return watch_process(watch->processes, &in, out);
	case WATCH_FIND_WRITERS:
		return find_writers(&in, out);
	default:
		return -EBADMSG;
	}
}

/* Takes what has arrived on stdin. 1 to go on, 0 at its end, -errno. */
static int take_input(struct watch *watch, struct frame_reader *reader)
{
	ssize_t count = frame_reader_read(reader, 0);
	if (count <= 0)
		return count == -EAGAIN ? 1 : (int)count;
	AUTO_FRAME_OUT struct frame_out out = { 0 };
	struct frame frame;
	int got;
	while ((got = frame_reader_next(reader, &frame)) > 0) {
		int failed = take_frame(watch, &frame, &out);
		if (!failed)
			failed = frame_out_write_all(&out, 1);
		if (failed)
			return failed;
	}
	return got < 0 ? got : 1;
}

int main(void)
{
	struct watch watch = { .processes = -1, .mounts = -1 };
	AUTO_FRAME_READER struct frame_reader reader = { 0 };
	log_init("termite-watch");
	writers_init();
	if (watcher_open(&watch.watcher) != 0) {
		log_line("%s", watch.watcher.message);
		return 1;
	}
	watch.processes = processes_open();
	if (watch.processes < 0) {
		log_line("epoll_create1: %s", strerror(-watch.processes));
		return 1;
	}
	/* Where there is no /proc nobody can tell. */
	watch.mounts = mounts_open();
	bool is_resting = false;
	int result = 1;
	while (result > 0) {
		struct pollfd wanted[] = {
			{ .fd = 0, .events = POLLIN },
			{ .fd = watch.processes, .events = POLLIN },
			{ .fd = watch.watcher.fd, .events = POLLIN },
		};
		int count = RETRY_EINTR(poll(wanted, is_resting ? 2 : 3, is_resting ? REST_MS : -1));
		is_resting = false;
		if (count > 0 && wanted[2].revents) {
			watcher_drain(&watch.watcher);
			is_resting = true;
		}
		if (count > 0 && wanted[0].revents) {
			result = take_input(&watch, &reader);
			is_resting = false;
		}
		if (result > 0 && count > 0 && wanted[1].revents) {
			int failed = report_ended(watch.processes);
			result = failed ? failed : result;
		}
	}
	if (result < 0)
		log_line("talking to the master: %s", strerror(-result));
	watcher_close(&watch.watcher);
	fd_close(&watch.processes);
	fd_close(&watch.mounts);
	return result < 0;
}
