/*
 * termite-start DESCRIPTOR COUNT [IGNORED BLOCKED]
 *
 * Becomes a program whose arguments, environment or folder are no text: Node can only start programs by text. The descriptor
 * has strings, each ended by a NUL: the folder to work in or "", the program, COUNT arguments, argv[0] among them, and all of the
 * environment. IGNORED and BLOCKED are the signals that it is to begin with, which Node takes from all that it starts: hexadecimal
 * numbers with bit N - 1 for signal N. All else stays as it is.
 */
#include "bytes.h"
#include "fd.h"
#include "log.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>

extern char **environ;

struct text {
	char *data;
	size_t length, capacity;
};

/* 0 or -errno. A NUL is behind the end. */
static int read_all(int fd, struct text *text)
{
	for (;;) {
		if (text->capacity - text->length < 2) {
			size_t capacity = text->capacity ? 2 * text->capacity : (size_t)64 << 10;
			char *data = realloc(text->data, capacity);
			if (data == NULL)
				return -ENOMEM;
			text->data = data;
			text->capacity = capacity;
		}
		ssize_t count = RETRY_EINTR(read(fd, text->data + text->length, text->capacity - text->length - 1));
		if (count < 0)
			return -errno;
		if (count == 0)
			break;
		text->length += (size_t)count;
	}
	text->data[text->length] = 0;
	return 0;
}

static size_t count_strings(const struct text *text)
{
	size_t count = 0;
	for (size_t i = 0; i < text->length; i++)
		count += text->data[i] == 0;
	return count;
}

static int failed_with(const char *call, const char *what, int error)
{
	log_line("%s \"%s\": %s", call, what, strerror(error));
	return error == ENOENT ? 127 : 126;
}

static void set_signals(const char *ignored, const char *blocked)
{
	unsigned long long ignored_set = strtoull(ignored, NULL, 16), blocked_set = strtoull(blocked, NULL, 16);
	sigset_t set;
	sigemptyset(&set);
	for (int number = 1; number <= 64; number++) {
		if (ignored_set & 1ull << (number - 1))
			signal(number, SIG_IGN);
		if (blocked_set & 1ull << (number - 1))
			sigaddset(&set, number);
	}
	sigprocmask(SIG_SETMASK, &set, NULL);
}

int main(int argc, char **argv)
{
	struct text text = { 0 };
	bool is_complete = argc == 3 || argc == 5;
	int fd = is_complete ? atoi(argv[1]) : -1;
	size_t argument_count = is_complete ? strtoul(argv[2], NULL, 10) : 0;
	int failed = fd > 2 ? read_all(fd, &text) : -EINVAL;
	if (failed) {
		log_line("read descriptor %d: %s", fd, strerror(-failed));
		return 126;
	}
	fd_close(&fd);
	size_t count = count_strings(&text);
	if (count < argument_count + 2 || argument_count == 0) {
		log_line("descriptor %s: %zu strings are too few", argv[1], count);
		return 126;
	}
	/* The strings, and a NULL behind the arguments and behind the variables. */
	char **strings = malloc((count + 2) * sizeof *strings);
	if (strings == NULL)
		return failed_with("start", argv[1], ENOMEM);
	char *folder = text.data, *program = folder + strlen(folder) + 1, *at = program + strlen(program) + 1;
	char **arguments = strings, **variables = strings + argument_count + 1, **next = strings;
	for (size_t i = 2; i < count; i++) {
		if (i == argument_count + 2)
			*next++ = NULL;
		*next++ = at;
		at += strlen(at) + 1;
	}
	if (count == argument_count + 2)
		*next++ = NULL;
	*next = NULL;
	if (*folder && chdir(folder) < 0)
		return failed_with("chdir", folder, errno);
	environ = variables;
	if (argc == 5)
		set_signals(argv[3], argv[4]);
	execvp(program, arguments);
	return failed_with("exec", program, errno);
}
