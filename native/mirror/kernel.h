/*
 * The kernel's FUSE protocol, with what headers older than 7.40 (Linux 6.9) do not know yet.
 * Source: include/uapi/linux/fuse.h.
 */
#ifndef TERMITE_KERNEL_H
#define TERMITE_KERNEL_H

#include <linux/fuse.h>
#include <sys/ioctl.h>

#ifndef FUSE_PASSTHROUGH
#define FUSE_PASSTHROUGH (1ULL << 37)
#define FOPEN_PASSTHROUGH (1 << 7)

struct fuse_backing_map {
	int32_t fd;
	uint32_t flags;
	uint64_t padding;
};
#define FUSE_DEV_IOC_BACKING_OPEN _IOW(FUSE_DEV_IOC_MAGIC, 1, struct fuse_backing_map)
#endif

/* The version we speak: from 7.40 on INIT's answer has max_stack_depth, in the first word of what was unused. */
#define KERNEL_MINOR 40
#define KERNEL_MINOR_LEAST 31

/* The first errno that it does not take for an answer. Source: fuse_dev_do_write() in fs/fuse/dev.c. */
#define KERNEL_ERRNO_END 512

/* open_out.backing_id took the place of the padding. */
static inline void kernel_set_backing(struct fuse_open_out *out, int32_t backing)
{
	out->open_flags |= FOPEN_PASSTHROUGH;
	out->padding = (uint32_t)backing;
}

#endif
