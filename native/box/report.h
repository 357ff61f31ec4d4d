/* What the sandbox's init tells the supervisor, through a pipe: this head, then text. */
#ifndef TERMITE_REPORT_H
#define TERMITE_REPORT_H

#include <stdint.h>

enum report_kind {
	REPORT_BROKEN = 1, /* text: why the sandbox could not be made */
	REPORT_ENDED = 2,  /* text: absolute paths left outside of the project, each with its NUL */
};

struct report {
	uint32_t kind;
	int32_t status; /* of the command, as wait(2) gives it */
	uint64_t started_ns, finished_ns; /* CLOCK_REALTIME */
	uint64_t user_us, system_us, max_rss_kib;
};

#endif
