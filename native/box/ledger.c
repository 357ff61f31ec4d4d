#include "ledger.h"

#include "fd.h"
#include "log.h"
#include "remove.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>

struct ledger *ledger_new(void)
{
	void *memory = mmap(NULL, sizeof(struct ledger), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return NULL;
	struct ledger *ledger = memory;
	ledger->job_count = (uint32_t)getpid() * 7919u;
	return ledger;
}

struct ledger_line *ledger_take(struct ledger *ledger)
{
	for (size_t i = 0; i < LEDGER_LINES; i++) {
		struct ledger_line *line = &ledger->lines[i];
		if (line->kind == LEDGER_FREE) {
			line->kind = LEDGER_STARTED;
			line->pid = 0;
			line->has_network = false;
			return line;
		}
	}
	return NULL;
}

struct ledger_line *ledger_find(struct ledger *ledger, pid_t pid)
{
	for (size_t i = 0; i < LEDGER_LINES; i++) {
		if (ledger->lines[i].kind != LEDGER_FREE && ledger->lines[i].pid == pid)
			return &ledger->lines[i];
	}
	return NULL;
}

int ledger_note(struct ledger_line *line, enum ledger_kind kind, const char *path)
{
	if (strlen(path) >= sizeof line->path)
		return -ENAMETOOLONG;
	strcpy(line->path, path);
	line->kind = kind;
	return 0;
}

void ledger_clear(struct ledger_line *line)
{
	line->kind = LEDGER_STARTED;
}

void ledger_settle(struct ledger_line *line)
{
	if (line->kind == LEDGER_MOUNT)
		umount2(line->path, MNT_DETACH);
	if (line->kind == LEDGER_JOB) {
		/* It may be large, and the server has connections to accept. */
		pid_t pid = fork();
		if (pid <= 0)
			remove_tree(line->path);
		if (pid == 0)
			_exit(0);
	}
	line->kind = LEDGER_FREE;
}
