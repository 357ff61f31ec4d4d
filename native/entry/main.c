/*
 * termite COMMAND [ARGUMENTS…]
 *
 * Becomes Node with the script of the command line. Node gives all signals their default when it starts, so that nobody could tell
 * any more what `nohup`, `trap '' HUP` or a shell's `&` has had ignored. $TERMITE_SIGNALS tells it, if there is anything to tell:
 * ignored and blocked signals, two hexadecimal numbers with bit N - 1 for signal N.
 */
#include "bytes.h"
#include "context.h"
#include "log.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* From the folder that this program is in. */
static const char script_name[] = "../../dist/wrapper/main.js";

static void tell_signals(void)
{
	struct context context;
	char text[40];
	context_read(&context);
	unsetenv("TERMITE_SIGNALS");
	if (context.ignored_signals == 0 && context.blocked_signals == 0)
		return;
	snprintf(text, sizeof text, "%llx %llx", (unsigned long long)context.ignored_signals,
		 (unsigned long long)context.blocked_signals);
	setenv("TERMITE_SIGNALS", text, 1);
}

int main(int argc, char **argv)
{
	char path[PATH_MAX + sizeof script_name];
	ssize_t length = readlink("/proc/self/exe", path, PATH_MAX);
	while (length > 0 && path[length - 1] != '/')
		length--;
	if (length <= 0) {
		log_line("readlink \"/proc/self/exe\": %s", strerror(errno));
		return 125;
	}
	memcpy(path + length, script_name, sizeof script_name);
	char **words = calloc((size_t)argc + 2, sizeof *words);
	if (words == NULL) {
		log_line("out of memory");
		return 125;
	}
	static char node[] = "node";
	words[0] = node;
	words[1] = path;
	for (int i = 1; i < argc; i++)
		words[i + 1] = argv[i];
	tell_signals();
	execvp(node, words);
	log_line("exec \"%s\": %s", node, strerror(errno));
	return 125;
}
