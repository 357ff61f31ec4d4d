#include "parse.h"

#include <limits.h>
#include <string.h>

/* Options without argument that are the same for us whether they are set or not. */
static const char harmless_flags[] = "abefhklmnptuvxBCEHPT";

/* The long options of bash that take no argument and still run the line. */
static const char *const long_options[] = { "--norc", "--noprofile", "--posix" };

static bool is_long_option(const char *word)
{
	for (size_t i = 0; i < sizeof long_options / sizeof *long_options; i++) {
		if (strcmp(word, long_options[i]) == 0)
			return true;
	}
	return false;
}

bool parse_is_command(int argc, char *const argv[])
{
	bool has_c = false;
	int at = 1;
	while (at < argc && (argv[at][0] == '-' || argv[at][0] == '+')) {
		const char *word = argv[at++];
		if (strcmp(word, "--") == 0)
			break;
		if (is_long_option(word))
			continue;
		if (word[1] == 0)
			return false;
		for (const char *flag = word + 1; *flag; flag++) {
			if (*flag == 'c' && word[0] == '-')
				has_c = true;
			else if ((*flag == 'o' || *flag == 'O') && at < argc)
				at++; /* its argument is the next word, also in -euo */
			else if (strchr(harmless_flags, *flag) == NULL)
				return false;
		}
	}
	return has_c && at < argc;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != 0 && strchr("_./,:=@%+-", c) != NULL);
}

bool parse_word(const char **at, char **output)
{
	while (**at && **at != ';' && **at != '&' && !is_blank(**at)) {
		char c = *(*at)++;
		if (c != '\'' && c != '"') {
			if (!is_plain(c))
				return false;
			*(*output)++ = c;
			continue;
		}
		size_t length = strcspn(*at, "'\"$`\\!\n");
		if ((*at)[length] != c)
			return false;
		memcpy(*output, *at, length);
		*output += length;
		*at += length + 1;
	}
	return true;
}

const char *parse_skip_blanks(const char *at)
{
	while (is_blank(*at))
		at++;
	return at;
}

/* Whether nothing but the word, which must not be quoted, begins the line; *rest is what comes after it. */
static bool begins_with(const char *line, const char *word, const char **rest)
{
	size_t length = strlen(word);
	if (strncmp(line, word, length) != 0 || (line[length] && !is_blank(line[length])))
		return false;
	*rest = parse_skip_blanks(line + length);
	return true;
}

static int simple_echo(const char *at, char *output, size_t *length)
{
	char *end = output;
	while (*at) {
		const char *word = end;
		if (!parse_word(&at, &end) || *at == ';' || *at == '&')
			return -1;
		/* Shells disagree on which options echo has. */
		if (word == output && word < end && *word == '-')
			return -1;
		at = parse_skip_blanks(at);
		if (*at)
			*end++ = ' ';
	}
	*end++ = '\n';
	*length = (size_t)(end - output);
	return 0;
}

int parse_simple_line(const char *line, char *output, size_t *length)
{
	const char *rest;
	*length = 0;
	line = parse_skip_blanks(line);
	if (*line == 0 || (*line == '#' && strchr(line, '\n') == NULL))
		return 0;
	if (begins_with(line, "echo", &rest))
		return simple_echo(rest, output, length);
	if (begins_with(line, ":", &rest) || begins_with(line, "true", &rest))
		return *rest == 0 ? 0 : -1;
	if (begins_with(line, "false", &rest))
		return *rest == 0 ? 1 : -1;
	return -1;
}

static bool has_prefix(const char *string, const char *prefix)
{
	return strncmp(string, prefix, strlen(prefix)) == 0;
}

bool parse_is_plain_shell(const char *shell, char *const environment[])
{
	static const char *const names[] = { "sh", "dash", "bash", "ash" };
	static const char *const variables[] = { "BASH_ENV=", "BASH_FUNC_", "SHELLOPTS=", "BASHOPTS=" };

	const char *slash = strrchr(shell, '/');
	const char *name = slash ? slash + 1 : shell;
	bool is_known = false;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		is_known |= strcmp(name, names[i]) == 0;
	if (!is_known)
		return false;
	for (; *environment; environment++) {
		for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
			if (has_prefix(*environment, variables[i]))
				return false;
		}
	}
	return true;
}

/* A decimal number that a descriptor can have, and the character after it. */
static bool take_number(const char **at, int *number)
{
	if (**at < '0' || **at > '9')
		return false;
	long value = 0;
	for (; **at >= '0' && **at <= '9'; (*at)++) {
		value = value * 10 + (**at - '0');
		if (value > INT_MAX)
			return false;
	}
	*number = (int)value;
	return true;
}

bool parse_jobserver(const char *makeflags, int *read_fd, int *write_fd)
{
	bool found = false;
	for (const char *word = makeflags; *word;) {
		size_t length = strcspn(word, " \t");
		/* After " -- " come the variables of make's command line, which may contain anything. */
		if (length == 2 && has_prefix(word, "--"))
			break;
		const char *value = NULL;
		if (has_prefix(word, "--jobserver-auth="))
			value = word + strlen("--jobserver-auth=");
		else if (has_prefix(word, "--jobserver-fds="))
			value = word + strlen("--jobserver-fds=");
		if (value != NULL) {
			found = take_number(&value, read_fd) && *value++ == ',' && take_number(&value, write_fd) &&
				value == word + length;
		}
		word += length;
		word += strspn(word, " \t");
	}
	return found;
}
