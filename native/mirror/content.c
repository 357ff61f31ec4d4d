#include "content.h"

#include "fd.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define SLOT_COUNT ((size_t)1 << 19) /* 8 MiB of address space, used as far as touched */
#define PROBES 8

/*
 * Both words are written without a lock: a reader that sees them torn, or of two different writers, finds a signature
 * that does not fit, and the blob is asked for again.
 */
struct slot {
	_Atomic uint64_t key;
	_Atomic uint64_t signature;
};

struct verified {
	struct slot slots[SLOT_COUNT];
};

struct verified *verified_new(void)
{
	void *memory = mmap(NULL, sizeof(struct verified), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return memory == MAP_FAILED ? NULL : memory;
}

static uint64_t hex_word(const unsigned char *hex)
{
	uint64_t word = 0;
	for (int i = 0; i < 16; i++)
		word = word << 4 | (uint64_t)(hex[i] <= '9' ? hex[i] - '0' : hex[i] - 'a' + 10);
	return word;
}

static uint64_t mix(uint64_t state, uint64_t value)
{
	state = (state ^ value) * 0x9e3779b97f4a7c15u;
	return state ^ (state >> 29);
}

static uint64_t nanoseconds(struct timespec time)
{
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* Begun with another part of the hash: a slot with the key of one blob and the signature of another never fits. */
static uint64_t signature_of(struct digest digest, const struct stat *st)
{
	uint64_t signature = hex_word(digest.hash.data + 16);
	signature = mix(signature, (uint64_t)st->st_size);
	signature = mix(signature, nanoseconds(st->st_mtim));
	signature = mix(signature, nanoseconds(st->st_ctim));
	return mix(signature, st->st_ino) | 1;
}

static bool is_verified(struct verified *verified, struct digest digest, const struct stat *st)
{
	uint64_t key = hex_word(digest.hash.data);
	for (size_t probe = 0; probe < PROBES; probe++) {
		struct slot *slot = &verified->slots[(key + probe) & (SLOT_COUNT - 1)];
		if (atomic_load(&slot->key) == key)
			return atomic_load(&slot->signature) == signature_of(digest, st);
	}
	return false;
}

static void remember(struct verified *verified, struct digest digest, const struct stat *st)
{
	uint64_t key = hex_word(digest.hash.data);
	uint64_t signature = signature_of(digest, st);
	/* The own slot, else a free one, else one that depends on the blob. */
	struct slot *chosen = &verified->slots[(key + (key >> 32) % PROBES) & (SLOT_COUNT - 1)];
	for (size_t probe = 0; probe < PROBES; probe++) {
		struct slot *slot = &verified->slots[(key + probe) & (SLOT_COUNT - 1)];
		if (atomic_load(&slot->key) == key || atomic_load(&slot->signature) == 0) {
			chosen = slot;
			break;
		}
	}
	atomic_store(&chosen->signature, 0);
	atomic_store(&chosen->key, key);
	atomic_store(&chosen->signature, signature);
}

/* A descriptor and what fstat said of it. */
static int open_file(const struct content *content, struct digest digest, struct stat *st)
{
	if (!digest_is_valid(digest))
		return -EBADMSG;
	char path[DIGEST_HASH_LENGTH + 4];
	snprintf(path, sizeof path, "%.2s/%.64s", (const char *)digest.hash.data, (const char *)digest.hash.data);
	AUTO_CLOSE int fd = RETRY_EINTR(openat(content->store, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
	if (fd < 0 || fstat(fd, st) < 0)
		return -errno;
	if (!S_ISREG(st->st_mode) || (uint64_t)st->st_size != digest.size)
		return -EBADMSG;
	return steal_fd(&fd);
}

int content_remember(struct content *content, struct digest digest)
{
	struct stat st;
	AUTO_CLOSE int fd = open_file(content, digest, &st);
	if (fd < 0)
		return fd;
	remember(content->verified, digest, &st);
	return 0;
}

int content_open_blob(const struct content *content, struct digest digest)
{
	struct stat st;
	AUTO_CLOSE int fd = open_file(content, digest, &st);
	if (fd == -ENOENT || fd == -EBADMSG)
		return -EAGAIN;
	if (fd < 0)
		return fd;
	return is_verified(content->verified, digest, &st) ? steal_fd(&fd) : -EAGAIN;
}

static bool is_as_signed(const struct original *original, const struct stat *st)
{
	bool has_other_names = original->link_count != 0 && original->link_count != st->st_nlink;
	return S_ISREG(st->st_mode) && (uint64_t)st->st_size == original->size && st->st_ino == original->inode &&
	       nanoseconds(st->st_mtim) == original->mtime_ns &&
	       (has_other_names || nanoseconds(st->st_ctim) == original->ctime_ns);
}

/* A descriptor that belongs to the caller; -EAGAIN when what is there is not what the origin saw. */
static int open_original(struct original *original)
{
	struct stat st;
	AUTO_CLOSE int fd = RETRY_EINTR(open(original->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
	if (fd < 0 || fstat(fd, &st) < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? -EAGAIN : -errno;
	original->link_count = 0;
	if (!is_as_signed(original, &st))
		return -EAGAIN;
	original->link_count = st.st_nlink;
	return steal_fd(&fd);
}

bool content_is_unchanged(const struct node *node, int fd)
{
	struct stat st;
	return node->original == NULL || (fstat(fd, &st) == 0 && is_as_signed(node->original, &st));
}

int content_open(struct content *content, struct node *node)
{
	if (node->fd >= 0)
		return node->fd;
	int fd = node->original != NULL ? open_original(node->original) : content_open_blob(content, node->digest);
	if (fd < 0)
		return fd;
	size_t slot = content->next++ % CONTENT_OPEN_MAX;
	if (content->open[slot] != NULL)
		fd_close(&content->open[slot]->fd);
	content->open[slot] = node;
	node->fd = fd;
	return fd;
}

void content_close(struct content *content)
{
	for (size_t slot = 0; slot < CONTENT_OPEN_MAX; slot++) {
		if (content->open[slot] != NULL)
			fd_close(&content->open[slot]->fd);
		content->open[slot] = NULL;
	}
}
