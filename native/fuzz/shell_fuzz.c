/* What the shell makes of a command line by itself: the words of a line, trifles, make's flags, its own arguments. */
#include "fuzz.h"

#include "../shell/parse.h"
#include "../shell/trifles.h"
#include "../shell/words.h"

enum { ARGUMENTS_MAX = 8 };

static void simple_line(const char *line)
{
	size_t length, room = strlen(line) + 1;
	char *output = malloc(room);
	REQUIRE(output != NULL);
	int status = parse_simple_line(line, output, &length);
	REQUIRE(status >= -1 && status <= 1 && length <= room && (status != -1 || length == 0));
	free(output);
}

static void program(const char *line)
{
	char **words = words_of_program(line);
	for (size_t i = 0; words != NULL && words[i] != NULL; i++)
		REQUIRE(strlen(words[i]) <= strlen(line));
	free(words);
}

/* The line once more, cut at newlines. */
static void arguments(char *line)
{
	char *words[ARGUMENTS_MAX + 1] = { line };
	int count = 1;
	for (char *at = line; *at && count < ARGUMENTS_MAX; at++) {
		if (*at == '\n') {
			*at = 0;
			words[count++] = at + 1;
		}
	}
	words[count] = NULL;
	bool is_command = parse_is_command(count, words);
	REQUIRE(!is_command || count >= 3);
	(void)parse_is_plain_shell(words[0], words + 1);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	AUTO_FREE char *line = bytes_to_string((struct bytes){ data, size });
	int read_fd = 0, write_fd = 0;
	if (line == NULL)
		return 0;
	simple_line(line);
	program(line);
	(void)trifles_are_all(line);
	REQUIRE(!parse_jobserver(line, &read_fd, &write_fd) || (read_fd >= 0 && write_fd >= 0));
	arguments(line);
	return 0;
}
