/* termite-watch: tells the master what has changed, and who has ended. Frames on stdin and stdout; ends with stdin. */
#include "fd.h"
#include "frame_io.h"
#include "log.h"
#include "processes.h"
#include "watcher.h"
#include "wire.h"

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

static void put_changed(struct frame_out *out, uint32_t id, const struct watcher *watcher)
{
	bool is_everything = watcher->events_lost || watcher->is_incomplete;
	frame_begin(out, WATCH_CHANGED);
	frame_put_u32(out, id);
	frame_put_u32(out, is_everything ? CHANGED_OVERFLOW : 0);
	size_t count_at = frame_put_count(out);
	for (size_t i = 0; i < watcher->changed.capacity; i++) {
		const struct watcher_path *path = watcher->changed.slots[i].item;
		if (path)
			frame_put_bytes(out, (struct bytes){ (const unsigned char *)path->text, path->length });
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

static int drain(struct watcher *watcher, struct frame_in *in, struct frame_out *out)
{
	uint32_t id = frame_get_u32(in);
	if (!frame_in_done(in))
		return -EBADMSG;
	watcher_drain(watcher);
	put_changed(out, id, watcher);
	watcher_forget_changed(watcher);
	return 0;
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

static int take_frame(struct watcher *watcher, int processes, const struct frame *frame, struct frame_out *out)
{
	struct frame_in in = frame_in_of(frame->payload);
	switch (frame->type) {
	case WATCH_TREE:
		return watch_tree(watcher, &in, out);
	case WATCH_DIR:
		return watch_dir(watcher, &in, out);
	case WATCH_DRAIN:
		return drain(watcher, &in, out);
	case UNWATCH_DIR:
		return unwatch_dir(watcher, &in);
	case WATCH_PROCESS:
		return watch_process(processes, &in, out);
	default:
		return -EBADMSG;
	}
}

/* Takes what has arrived on stdin. 1 to go on, 0 at its end, -errno. */
static int take_input(struct watcher *watcher, int processes, struct frame_reader *reader)
{
	ssize_t count = frame_reader_read(reader, 0);
	if (count <= 0)
		return count == -EAGAIN ? 1 : (int)count;
	AUTO_FRAME_OUT struct frame_out out = { 0 };
	struct frame frame;
	int got;
	while ((got = frame_reader_next(reader, &frame)) > 0) {
		int failed = take_frame(watcher, processes, &frame, &out);
		if (!failed)
			failed = frame_out_write_all(&out, 1);
		if (failed)
			return failed;
	}
	return got < 0 ? got : 1;
}

int main(void)
{
	struct watcher watcher;
	AUTO_FRAME_READER struct frame_reader reader = { 0 };
	log_init("termite-watch");
	if (watcher_open(&watcher) != 0) {
		log_line("%s", watcher.message);
		return 1;
	}
	AUTO_CLOSE int processes = processes_open();
	if (processes < 0) {
		log_line("epoll_create1: %s", strerror(-processes));
		return 1;
	}
	bool is_resting = false;
	int result = 1;
	while (result > 0) {
		struct pollfd wanted[] = {
			{ .fd = 0, .events = POLLIN },
			{ .fd = processes, .events = POLLIN },
			{ .fd = watcher.fd, .events = POLLIN },
		};
		int count = RETRY_EINTR(poll(wanted, is_resting ? 2 : 3, is_resting ? REST_MS : -1));
		is_resting = false;
		if (count > 0 && wanted[2].revents) {
			watcher_drain(&watcher);
			is_resting = true;
		}
		if (count > 0 && wanted[0].revents) {
			result = take_input(&watcher, processes, &reader);
			is_resting = false;
		}
		if (result > 0 && count > 0 && wanted[1].revents) {
			int failed = report_ended(processes);
			result = failed ? failed : result;
		}
	}
	if (result < 0)
		log_line("talking to the master: %s", strerror(-result));
	watcher_close(&watcher);
	return result < 0;
}
