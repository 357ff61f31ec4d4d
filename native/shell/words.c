#include "words.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const char blanks[] = " \t";

/* Any of these outside of single quotes is for a shell; a newline, of which make can make something, we leave to it, too. */
static const char for_shells[] = "#;\"*?[]&|<>(){}$`^~!\n";

/* What make knows to be the shell's. Others of this kind, such as echo, it finds on the PATH. */
static const char *const shell_commands[] = {
	".",     ":",       "alias", "bg",     "break",    "case",  "cd",    "command", "continue", "eval",
	"exec",  "exit",    "export", "fc",    "fg",       "for",   "getopts", "hash",  "if",       "jobs",
	"login", "logout",  "read",  "readonly", "return", "set",   "shift", "test",    "times",    "trap",
	"type",  "ulimit",  "umask", "unalias", "unset",   "wait",  "while",
};

/* One word from *at on, without quotes and backslashes, and its NUL to *end. False when it is for a shell. */
static bool take_word(const char **at, char **end)
{
	while (**at && strchr(blanks, **at) == NULL) {
		char c = *(*at)++;
		if (c == '\'') {
			size_t length = strcspn(*at, "'\n");
			if ((*at)[length] != '\'')
				return false;
			memcpy(*end, *at, length);
			*end += length;
			*at += length + 1;
		} else if (strchr(for_shells, c) != NULL) {
			return false;
		} else if (c != '\\') {
			*(*end)++ = c;
		} else if (**at && **at != '\n') {
			*(*end)++ = *(*at)++;
		} else {
			return false;
		}
	}
	*(*end)++ = 0;
	return true;
}

static bool is_for_shell(const char *program)
{
	if (*program == 0 || strchr(program, '=') != NULL)
		return true;
	for (size_t i = 0; i < sizeof shell_commands / sizeof *shell_commands; i++) {
		if (strcmp(program, shell_commands[i]) == 0)
			return true;
	}
	return false;
}

char **words_of_program(const char *line)
{
	size_t length = strlen(line);
	/* Every word but the last has a blank behind it; then come the NULL and the text. */
	size_t most_words = length / 2 + 1;
	char **words = malloc((most_words + 1) * sizeof *words + length + 1);
	if (words == NULL)
		return NULL;
	char *end = (char *)(words + most_words + 1);
	size_t count = 0;
	bool is_plain = true;
	for (const char *at = line + strspn(line, blanks); is_plain && *at; at += strspn(at, blanks)) {
		words[count++] = end;
		is_plain = take_word(&at, &end);
	}
	words[count] = NULL;
	if (is_plain && count > 0 && !is_for_shell(words[0]))
		return words;
	free(words);
	return NULL;
}
