#include "../stand-in/caller.h"
#include "tap.h"

int main(void)
{
	static const char *const tools[] = { "/usr/bin/make", "/usr/bin/gmake", "/opt/bin/ninja", "ninja-build", "/usr/bin/samu",
					     "/src/make (deleted)" };
	static const char *const others[] = { "/usr/bin/dash", "/usr/bin/cmake", "/usr/bin/makeinfo", "/usr/bin/python3.11",
					      "/make/sh", "/usr/bin/make/", "make (gone)", " (deleted)", "" };
	for (size_t i = 0; i < sizeof tools / sizeof *tools; i++)
		tap_ok(caller_is_build_tool(tools[i]), "caller_is_build_tool() knows <%s>", tools[i]);
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		tap_ok(!caller_is_build_tool(others[i]), "caller_is_build_tool() knows that <%s> is none", others[i]);
	return tap_done();
}
