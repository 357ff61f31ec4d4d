/* Who has started us. */
#ifndef TERMITE_STAND_IN_CALLER_H
#define TERMITE_STAND_IN_CALLER_H

#include <stdbool.h>

/* Whether a program of that path is one whose command lines are the commands of a build. Pure. */
bool caller_is_build_tool(const char *path);

/* The same of our parent. All others, scripts and system(3) among them, want a shell and nothing else. */
bool caller_is_building(void);

#endif
