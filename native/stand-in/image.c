#include "image.h"

#include "fd.h"

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

/* The end of the file; the folder's name, without NUL, stands before it, and the shell before that. */
struct footer {
	uint64_t shell_size;
	uint64_t folder_length;
	char magic[16];
};

static const char magic[16] = "termite stand-in";

static int copy(int from, off_t offset, uint64_t size, int to)
{
	while (size > 0) {
		ssize_t count = RETRY_EINTR(sendfile(to, from, &offset, size));
		if (count <= 0)
			return count < 0 ? -errno : -EIO;
		size -= (uint64_t)count;
	}
	return 0;
}

/* Appends a whole file. */
static int append(int to, const char *path, uint64_t *size)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat status;
	if (fd < 0 || fstat(fd, &status) < 0)
		return -errno;
	*size = (uint64_t)status.st_size;
	return copy(fd, 0, *size, to);
}

int image_write(const char *path, const char *program, const char *shell, const char *folder)
{
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
	if (fd < 0)
		return -errno;
	struct footer footer = { .folder_length = strlen(folder) };
	memcpy(footer.magic, magic, sizeof magic);
	uint64_t program_size;
	int failed = append(fd, program, &program_size);
	if (!failed)
		failed = append(fd, shell, &footer.shell_size);
	if (!failed)
		failed = fd_write_all(fd, folder, footer.folder_length);
	if (!failed)
		failed = fd_write_all(fd, &footer, sizeof footer);
	/* Whatever the umask: a shell is for everybody. */
	if (!failed && fchmod(fd, 0755) < 0)
		failed = -errno;
	return failed;
}

/* Opens an image, with where its shell begins. A descriptor or -errno. */
static int open_image(const char *path, struct footer *footer, off_t *shell_at)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat status;
	if (fd < 0 || fstat(fd, &status) < 0)
		return -errno;
	off_t end = status.st_size - (off_t)sizeof *footer;
	if (end < 0 || pread(fd, footer, sizeof *footer, end) != (ssize_t)sizeof *footer ||
	    memcmp(footer->magic, magic, sizeof magic) != 0)
		return -ENOEXEC;
	*shell_at = end - (off_t)footer->folder_length - (off_t)footer->shell_size;
	return steal_fd(&fd);
}

int image_folder(const char *path, char folder[PATH_MAX])
{
	struct footer footer;
	off_t shell_at;
	AUTO_CLOSE int fd = open_image(path, &footer, &shell_at);
	if (fd < 0)
		return fd;
	size_t length = footer.folder_length;
	if (length >= PATH_MAX ||
	    pread(fd, folder, length, shell_at + (off_t)footer.shell_size) != (ssize_t)length)
		return -ENOEXEC;
	folder[length] = 0;
	return 0;
}

int image_load_shell(const char *path)
{
	struct footer footer;
	off_t shell_at;
	AUTO_CLOSE int fd = open_image(path, &footer, &shell_at);
	if (fd < 0)
		return fd;
	AUTO_CLOSE int shell = memfd_create("shell", MFD_CLOEXEC);
	if (shell < 0)
		return -errno;
	int failed = copy(fd, shell_at, footer.shell_size, shell);
	return failed ? failed : steal_fd(&shell);
}
