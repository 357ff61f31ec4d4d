#include "show.h"
#include "tap.h"

#include <string.h>

static void shows(const char *text, const char *wanted)
{
	char line[64];
	size_t length = show_put(line, 0, sizeof line, text);
	tap_ok(length == strlen(wanted) && memcmp(line, wanted, length) == 0, "show_put() gives \"%s\"", wanted);
}

int main(void)
{
	shows("plain \xc3\xa9 \xe6\x96\x87 \xf0\x9f\x91\xa9", "plain \xc3\xa9 \xe6\x96\x87 \xf0\x9f\x91\xa9");
	shows("a\033[2J\n\177", "a\\x1b[2J\\x0a\\x7f");
	shows("\xc2\x9b", "\\xc2\\x9b");
	shows("\x9b\xff\xc3", "\\x9b\\xff\\xc3");
	shows("\xe2\x80\xaexy", "\\xe2\\x80\\xaexy");
	shows("\xc0\x9b\xed\xa0\x80", "\\xc0\\x9b\\xed\\xa0\\x80");
	char line[8] = "ab";
	tap_ok(show_put(line, 2, 8, "cd\033efgh") == 8 && memcmp(line, "abcd\\x1b", 8) == 0, "show_put() fills the line");
	tap_ok(show_put(line, 2, 8, "cdef\033") == 6, "show_put() leaves out what does not fit");
	return tap_done();
}
