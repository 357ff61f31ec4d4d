#include "trifles.h"

#include "fd.h"
#include "local.h"
#include "parse.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MOST_WORDS = 64 };

/* One command: its words without quotes, NULL behind the last. */
struct trifle {
	char text[PIPE_BUF];
	char *words[MOST_WORDS + 1];
	size_t count;
};

/* The command at *line, which then is behind it and its separator. False when it is more than plain words. */
static bool take_command(const char **line, struct trifle *trifle)
{
	const char *at = parse_skip_blanks(*line);
	char *end = trifle->text;
	if (strlen(at) >= sizeof trifle->text)
		return false;
	for (trifle->count = 0; *at && *at != ';' && *at != '&'; at = parse_skip_blanks(at)) {
		if (trifle->count == MOST_WORDS)
			return false;
		trifle->words[trifle->count++] = end;
		if (!parse_word(&at, &end))
			return false;
		*end++ = 0;
	}
	trifle->words[trifle->count] = NULL;
	/* A line may end in ";", not in "&&", and "&" alone is another thing. */
	if (*at == ';')
		at++;
	else if (*at == '&' && (*++at != '&' || *parse_skip_blanks(++at) == 0))
		return false;
	*line = at;
	return trifle->count > 0;
}

static bool do_nothing(char *const *operands)
{
	return *operands == NULL;
}

/* Shells disagree on which options echo has. */
static bool is_echo(char *const *operands)
{
	return *operands == NULL || **operands != '-';
}

static bool do_echo(char *const *operands)
{
	char output[PIPE_BUF];
	size_t length = 0;
	for (; *operands; operands++) {
		size_t word = strlen(*operands);
		memcpy(output + length, *operands, word);
		length += word;
		if (operands[1])
			output[length++] = ' ';
	}
	output[length++] = '\n';
	return fd_write_all(1, output, length) == 0;
}

static bool are_names(char *const *operands)
{
	if (*operands == NULL)
		return false;
	for (; *operands; operands++) {
		size_t length = strlen(*operands);
		if (length == 0 || **operands == '-' || (*operands)[length - 1] == '/')
			return false;
	}
	return true;
}

static bool is_mkdir(char *const *operands)
{
	return *operands && strcmp(*operands, "-p") == 0 && are_names(operands + 1);
}

static bool do_mkdir(char *const *operands)
{
	struct stat status;
	for (operands++; *operands; operands++) {
		if (mkdir(*operands, 0777) != 0 && !(errno == EEXIST && stat(*operands, &status) == 0 && S_ISDIR(status.st_mode)))
			return false;
	}
	return true;
}

static bool is_rm(char *const *operands)
{
	return *operands && strcmp(*operands, "-f") == 0 && are_names(operands + 1);
}

static bool do_rm(char *const *operands)
{
	for (operands++; *operands; operands++) {
		if (unlink(*operands) != 0 && errno != ENOENT)
			return false;
	}
	return true;
}

static bool is_mv(char *const *operands)
{
	if (*operands && strcmp(*operands, "-f") == 0)
		operands++;
	return are_names(operands) && operands[1] && operands[2] == NULL;
}

/* Within one file system, of no directory, onto nothing or onto another file. */
static bool do_mv(char *const *operands)
{
	struct stat from, to;
	bool is_forced = strcmp(*operands, "-f") == 0;
	const char *source = operands[is_forced], *target = operands[is_forced + 1];
	if (lstat(source, &from) != 0 || S_ISDIR(from.st_mode))
		return false;
	if (lstat(target, &to) != 0)
		return errno == ENOENT && renameat2(AT_FDCWD, source, AT_FDCWD, target, RENAME_NOREPLACE) == 0;
	/*
	 * Names of the same file rename(2) would leave both, and a symlink may lead to what it would replace; a target that is
	 * not writable mv asks about.
	 */
	if (!S_ISREG(to.st_mode) || S_ISLNK(from.st_mode) || (from.st_dev == to.st_dev && from.st_ino == to.st_ino))
		return false;
	return (is_forced || access(target, W_OK) == 0) && rename(source, target) == 0;
}

static bool do_touch(char *const *operands)
{
	for (; *operands; operands++) {
		AUTO_CLOSE int fd = open(*operands, O_WRONLY | O_CREAT | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0666);
		if (fd < 0 || futimens(fd, NULL) != 0)
			return false;
	}
	return true;
}

static const struct kind {
	const char *name;
	bool is_program; /* not the shell's own */
	bool (*is_simple)(char *const *operands);
	bool (*run)(char *const *operands);
} kinds[] = {
	{ ":", false, do_nothing, do_nothing }, { "true", false, do_nothing, do_nothing }, { "echo", false, is_echo, do_echo },
	{ "mkdir", true, is_mkdir, do_mkdir },  { "mv", true, is_mv, do_mv },              { "rm", true, is_rm, do_rm },
	{ "touch", true, are_names, do_touch },
};

static const char *const system_folders[] = { "/usr/bin", "/bin" };

static bool is_system_folder(const char *folder, size_t length)
{
	for (size_t i = 0; i < sizeof system_folders / sizeof *system_folders; i++) {
		if (strlen(system_folders[i]) == length && memcmp(system_folders[i], folder, length) == 0)
			return true;
	}
	return false;
}

static const struct kind *kind_of(const struct trifle *trifle)
{
	const char *program = trifle->words[0], *slash = strrchr(program, '/');
	if (slash && !is_system_folder(program, (size_t)(slash - program)))
		return NULL;
	const char *name = slash ? slash + 1 : program;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		if (strcmp(kinds[i].name, name) == 0 && (slash == NULL || kinds[i].is_program))
			return kinds[i].is_simple(trifle->words + 1) ? &kinds[i] : NULL;
	}
	return NULL;
}

/* Whether it is the system's program that the shell would find, and nothing is to change what that does. */
static bool is_usual(const struct trifle *trifle)
{
	if (local_variable("LD_PRELOAD") || local_variable("LD_AUDIT"))
		return false;
	const char *name = trifle->words[0];
	if (strchr(name, '/'))
		return access(name, X_OK) == 0;
	const char *path = local_variable("PATH");
	for (size_t length; path && *path; path += length + (path[length] == ':')) {
		char candidate[PATH_MAX];
		length = strcspn(path, ":");
		if (*path != '/' || length + strlen(name) + 2 > sizeof candidate)
			return false;
		memcpy(candidate, path, length);
		candidate[length] = '/';
		strcpy(candidate + length + 1, name);
		if (access(candidate, X_OK) == 0)
			return is_system_folder(path, length);
	}
	return false;
}

bool trifles_are_all(const char *line)
{
	struct trifle trifle;
	do {
		if (!take_command(&line, &trifle) || kind_of(&trifle) == NULL)
			return false;
	} while (*parse_skip_blanks(line));
	return true;
}

const char *trifles_run(const char *line)
{
	struct trifle trifle;
	while (*parse_skip_blanks(line)) {
		const char *rest = line;
		const struct kind *kind = take_command(&line, &trifle) ? kind_of(&trifle) : NULL;
		if (kind == NULL || (kind->is_program && !is_usual(&trifle)) || !kind->run(trifle.words + 1))
			return rest;
	}
	return NULL;
}
