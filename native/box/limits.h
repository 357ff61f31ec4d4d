/* What keeps a machine usable whatever a job does. Each is a matter of course where the kernel has it, and left out elsewhere. */
#ifndef TERMITE_LIMITS_H
#define TERMITE_LIMITS_H

/*
 * Processes and threads of a job. Far more than compilers, JVMs and test suites have, and few enough for a machine to stay
 * usable. Who needs more fails, and so runs beside make.
 */
#define JOB_PROCESSES_MAX 4096

/* Of this process and what it starts: where memory runs out, the kernel ends it before others. While /proc is the machine's. */
void limits_yield_memory(void);

/* In the job's own user namespace, after its caller's limits. */
void limits_bound_processes(void);

#endif
