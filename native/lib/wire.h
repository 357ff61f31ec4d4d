/*
 * The types of all frames. The name says who sends it to whom, the comment which fields it has (frame.h says how they
 * are written); list<a, b> is a list whose items are an a followed by a b. test/golden/ has an example of each.
 */
#ifndef TERMITE_WIRE_H
#define TERMITE_WIRE_H

#define WIRE_VERSION 4

/* shell → master */
enum {
	SHELL_RUN = 0x101,     /* u32 version; list<bytes> argv[1..]; bytes real shell; bytes cwd; list<bytes> "K=V"; u32 umask;
				  u32 RUN_* flags; u32 its process, which will be the command's when that is local; context, see
				  context.h */
	SHELL_CANCEL = 0x102,  /* u32 signal */
	SHELL_STDIN = 0x103,   /* u32 id; bytes data, empty at the end */
	SHELL_CONTROL = 0x110, /* bytes JSON; sent by the command-line tool only */
};

/* What a RUN says about the descriptors of the shell. */
enum {
	RUN_ONE_OUTPUT = 1,     /* stdout and stderr are the same open file */
	RUN_JOBSERVER = 2,      /* make's jobserver descriptors are open: make takes the line for a recursive one */
	RUN_STDIN_EMPTY = 4,    /* there is nothing to read */
	RUN_STDIN_TERMINAL = 8, /* a terminal */
	RUN_EXEC = 16,          /* argv is a program and its arguments, no shell; never sent by a shell */
};

/* master → shell */
enum {
	MASTER_LOCAL = 0x201,      /* u32 LOCAL_* flags; list<bytes> "K=V" to set or "K" to unset: run it yourself */
	MASTER_STDOUT = 0x202,     /* raw */
	MASTER_STDERR = 0x203,     /* raw */
	MASTER_COMMITTING = 0x204, /* outputs are being applied: from here on never run the command again */
	MASTER_EXITED = 0x205,     /* u32 ENDED_*; u32 value */
	MASTER_CANCELLED = 0x206,  /* nothing was or will be applied */
	MASTER_WANT_STDIN = 0x207, /* u32 id; u32 most bytes */
	MASTER_CONTROL_REPLY = 0x210, /* bytes JSON */
};

/* How a command ended. */
enum {
	ENDED_EXIT = 0,    /* value is the exit status */
	ENDED_SIGNAL = 1,  /* value is the signal */
	ENDED_TIMEOUT = 2, /* box only */
	ENDED_LIMIT = 3,   /* box only: ended at once, as its result could not be used: what was noticed says why */
};

/* executor → box */
enum {
	EXECUTOR_MOUNT = 0x401,        /* bytes mount directory; list<bytes> hidden absolute paths */
	EXECUTOR_LISTED = 0x402,       /* u32 id; u32 errno; bytes Directory, shallow */
	EXECUTOR_FILE = 0x403,         /* u32 id; u32 errno; digest */
	EXECUTOR_TRACE_WANTED = 0x404, /* u32 id */
	EXECUTOR_ORIGINAL = 0x405,     /* u32 id; u64 size; u64 mtime ns; u64 ctime ns; u64 inode: the file that was asked for may
					  be read where it is, if it looks like this */
	EXECUTOR_RELISTED = 0x406,     /* u32 id; bytes absolute path; list<bytes> names whose entries changed;
					  u32 1: names came or went, or became something else; bytes Directory, shallow */
	EXECUTOR_JOB = 0x410,          /* bytes job directory; bytes system directory; bytes project root; digest root;
					  list<bytes> argv; list<bytes> environment; bytes cwd; u32 umask; u32 uid; u32 gid;
					  u32 host uid; u32 host gid; u32 JOB_* flags; u64 timeout in ms, 0 none;
					  u64 bytes that its layer may take in memory, 0: it is on disk; bytes home;
					  list<bytes path, u32 mode> directories to show in its own places; context, see context.h;
					  list<digest, bytes Directory> */
	EXECUTOR_DIRECTORY = 0x411,    /* u32 id; u32 errno; bytes Directory */
	EXECUTOR_BLOB = 0x412,         /* u32 id; u32 errno */
	EXECUTOR_STDIN = 0x413,        /* u32 id; bytes data, empty at the end */
};

enum {
	JOB_ONE_OUTPUT = 1,   /* stdout and stderr are one file */
	JOB_NETWORK = 2,      /* the network is allowed */
	JOB_STDIN = 4,        /* stdin may be read, else it is /dev/null */
	JOB_PLAIN_READS = 8,  /* no FUSE passthrough */
	JOB_OWN_NETWORK = 16, /* it is to have a network of its own from the beginning */
};

/* box → executor */
enum {
	BOX_MOUNTED = 0x501,       /* (empty) */
	BOX_LIST = 0x502,          /* u32 id; bytes absolute path */
	BOX_READ = 0x503,          /* u32 id; bytes absolute path; u32 1: a copy is wanted, the original cannot be read here */
	BOX_TRACE = 0x504,         /* u32 id; list<bytes path, u32 TRACE_* flags> */
	BOX_REFUSED = 0x505,       /* bytes path; u32 REFUSED_*; u32 the process of the job, 0: it cannot be told */
	BOX_RELISTED = 0x506,      /* u32 id; u32 1: not done, since somebody has looked at what changed */
	BOX_NEED_DIRECTORY = 0x510, /* u32 id; digest */
	BOX_NEED_BLOB = 0x511,     /* u32 id; digest */
	BOX_NEED_STDIN = 0x512,    /* u32 id; u32 most bytes */
	BOX_DONE = 0x513,          /* u32 ENDED_*; u32 value; u64 started ns; u64 finished ns; u64 user µs; u64 system µs;
				      u64 max RSS KiB; bytes where the job directory is, which has the files `stdout`, `stderr`
				      and `content/<ino>`; list<entry> upper;
				      list<bytes path, u32 TRACE_* flags>; list<bytes> outside; the same list of its own places;
				      u32 the process that mirrors call it by in REFUSED; list<u32 NOTICED_*, bytes>. entry: bytes path; u32 mode;
				      u64 size; u64 mtime ns; u64 ino; u32 nlink; u32 UPPER_* flags; bytes target */
	BOX_BROKEN = 0x514,        /* bytes message */
	BOX_NEEDS_NETWORK = 0x516, /* (empty): it has asked for a socket, and was not begun with JOB_OWN_NETWORK: there is no result */
	BOX_OUTGROWN = 0x515,      /* (empty): the layer took more memory than it may, so there is no result */
};

/*
 * The first and the last second of which a u64 of nanoseconds can tell, modulo 2^64: what lies before 1970 stands at its end.
 * From 1901, with which ext4 and XFS begin, to 2486, where XFS ends.
 */
#define WIRE_TIME_FIRST (-((int64_t)1 << 31))
#define WIRE_TIME_LAST (WIRE_TIME_FIRST + (int64_t)(UINT64_MAX / 1000000000u) - 1)

enum {
	LOCAL_ALONE = 1,       /* what it starts does not ask the master either */
	LOCAL_SLOT = 2,        /* it holds one of this machine's slots; what it starts needs no further one */
	LOCAL_EMPTY_STDIN = 4, /* it is to find nothing on its stdin */
};

enum {
	TRACE_FOUND = 1,  /* by look-up */
	TRACE_ABSENT = 2,
	TRACE_READ = 4,   /* its content */
	TRACE_LINK = 8,   /* its target */
	TRACE_LISTED = 16,
};

enum {
	REFUSED_WRITE = 1,
	REFUSED_PRIVATE = 2, /* to read a file that is for its owner alone */
	REFUSED_HIDDEN = 3,  /* to see something that is there, but not shown, or not as it is */
};

/* What was noticed of a job while it ran, and the text that comes with it. */
enum {
	NOTICED_NETWORK = 1,   /* (empty): it sought something in the network */
	NOTICED_LOCK = 2,      /* (empty): it locked something that others see */
	NOTICED_PRIVILEGE = 3, /* what it was refused, as a noun */
	NOTICED_HIDDEN = 4,    /* what it looked for that exists outside only, as a noun, or a path of the project */
	NOTICED_LEFT = 5,      /* what it left that is no file, as a noun */
	NOTICED_RUNNING = 6,   /* (empty): what it started was still running when it had ended */
};

enum {
	UPPER_WHITEOUT = 1,
	UPPER_OPAQUE = 2,
	UPPER_REDIRECT = 4, /* a renamed directory; target is where it was */
	UPPER_ATTRIBUTES = 8, /* the command has given it extended attributes or an ACL */
};

/* master → watch */
enum {
	WATCH_TREE = 0x601,  /* u32 id; bytes root; list<bytes> paths below it that are not watched */
	WATCH_DIR = 0x602,   /* u32 id; bytes path; that one directory */
	WATCH_DRAIN = 0x603, /* u32 id */
	UNWATCH_DIR = 0x604, /* bytes path */
	WATCH_PROCESS = 0x605, /* u32 id; u32 process */
	WATCH_FIND_WRITERS = 0x606, /* u32 id; list<bytes> paths */
};

/* watch → master */
enum {
	WATCH_READY = 0x701,   /* u32 id; u32 errno; bytes message; u32 directories watched by it */
	WATCH_CHANGED = 0x702, /* u32 id; u32 CHANGED_* flags; list<bytes absolute path, u32 CHANGED_WRITTEN or 0> */
	WATCH_PROCESS_ENDED = 0x703, /* u32 id */
	WATCH_WRITERS = 0x704, /* u32 id; list<u32> which of the paths, from 0 on, somebody has open for writing */
};

enum {
	CHANGED_OVERFLOW = 1, /* events were lost: everything may have changed */
	CHANGED_MOUNTS = 2,   /* the mount table was changed */
};

/* Of a path: its content may have changed, whatever its times say. */
enum {
	CHANGED_WRITTEN = 1,
};

#endif
