/*
 * A fuzzer's main() for compilers without libFuzzer, with as much of its command line as we need:
 *
 *     TARGET [-seed=N] [-runs=N] [-max_total_time=SECONDS] [-artifact_prefix=PREFIX] FILE-OR-FOLDER...
 *
 * Mutates the files, keeps what reaches new places in the code, and goes on from there. The same seed and number of runs do the
 * same. A failure leaves its input in PREFIX-TARGET-SEED; a target that is given nothing but one such file runs just that.
 */
#include "fuzz.h"

#include "fd.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

#define LENGTH_MAX ((size_t)6 << 10)
#define CORPUS_MAX 8192
#define RUN_SECONDS_MAX 20
#define PLACES ((size_t)1 << 16)

struct input {
	unsigned char *data;
	size_t length;
};

static struct input corpus[CORPUS_MAX];
static size_t corpus_count;
static uint64_t random_state;

/* How often each place, seen from the one before, was reached in this run; and which orders of magnitude ever were. */
static unsigned char reached[PLACES], known[PLACES];
static size_t touched[PLACES], touched_count;

static char failed_path[4096];
static struct input current;
static volatile uint64_t run_count;

const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "abort_on_error=1:hard_rss_limit_mb=1024:quarantine_size_mb=8:malloc_context_size=8";
}

const char *__ubsan_default_options(void);
const char *__ubsan_default_options(void)
{
	return "abort_on_error=1:print_stacktrace=1";
}

/* Called by what -fsanitize-coverage=trace-pc puts into each block of the code under test. */
void __sanitizer_cov_trace_pc(void);
void __sanitizer_cov_trace_pc(void)
{
	static size_t previous;
	/* Relative to our own code: where that is loaded differs from one process to the next. */
	size_t here = (size_t)((uintptr_t)__builtin_return_address(0) - (uintptr_t)&__sanitizer_cov_trace_pc);
	size_t place = (here ^ previous) % PLACES;
	previous = here << 1;
	if (reached[place] == 0)
		touched[touched_count++] = place;
	if (reached[place] < UINT8_MAX)
		reached[place]++;
}

/* Whether the run got somewhere new, or somewhere twice or ten times as often as any before; forgets the run. */
static bool was_new(void)
{
	bool is_new = false;
	while (touched_count > 0) {
		size_t place = touched[--touched_count];
		unsigned char count = reached[place];
		unsigned char magnitude = (unsigned char)(count == 1 ? 1 : count < 4 ? 2 : count < 32 ? 4 : 8);
		is_new |= (known[place] & magnitude) == 0;
		known[place] |= magnitude;
		reached[place] = 0;
	}
	return is_new;
}

/* SplitMix64. */
static uint64_t next_random(void)
{
	uint64_t z = random_state += 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static size_t below(size_t limit)
{
	return limit > 0 ? (size_t)(next_random() % limit) : 0;
}

static void on_abort(int number)
{
	(void)number;
	int fd = open(failed_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd >= 0 && fd_write_all(fd, current.data, current.length) == 0)
		dprintf(2, "the input is in %s\n", failed_path);
	signal(SIGABRT, SIG_DFL);
	raise(SIGABRT);
}

/* A run that takes longer than any should, hangs. */
static void on_alarm(int number)
{
	(void)number;
	static uint64_t last = UINT64_MAX;
	if (run_count == last) {
		dprintf(2, "hangs: more than %d s\n", RUN_SECONDS_MAX);
		abort();
	}
	last = run_count;
	alarm(RUN_SECONDS_MAX);
}

/* A copy that ends where it says. */
static struct input copy_of(const unsigned char *data, size_t length)
{
	struct input copy = { malloc(length > 0 ? length : 1), length };
	REQUIRE(copy.data != NULL);
	if (length > 0)
		memcpy(copy.data, data, length);
	return copy;
}

static void run(const unsigned char *data, size_t length)
{
	current = copy_of(data, length);
	(void)LLVMFuzzerTestOneInput(current.data, length);
	run_count++;
	if (was_new() && corpus_count < CORPUS_MAX)
		corpus[corpus_count++] = current;
	else
		free(current.data);
}

static size_t remove_part(unsigned char *data, size_t length)
{
	size_t at = below(length), count = 1 + below(below(8) ? 8 : length);
	if (count > length - at)
		count = length - at;
	memmove(data + at, data + at + count, length - at - count);
	return length - count;
}

/* Puts a part of an input, perhaps of the same one, between two bytes or over them. */
static size_t insert_part(unsigned char *data, size_t length)
{
	const struct input *other = &corpus[below(corpus_count)];
	size_t from = below(3) ? below(other->length) : 0, count = below(3) ? below(other->length - from) : other->length - from;
	size_t at = below(3) ? below(length + 1) : length;
	if (count > LENGTH_MAX - length)
		count = LENGTH_MAX - length;
	if (below(4) == 0) {
		count = count < length - at ? count : length - at;
		memcpy(data + at, other->data + from, count);
		return length;
	}
	memmove(data + at + count, data + at, length - at);
	memcpy(data + at, other->data + from, count);
	return length + count;
}

/* Numbers at which something changes, in the widths that fields have; also how much there is behind it. */
static void put_number(unsigned char *data, size_t length)
{
	static const uint64_t numbers[] = { 0,      1,      2,          7,          127,        128,       255,        256,
					    0xfff,  0x1000, 0x7fff,     0xffff,     0x7fffffff, 0x80000000, 0xffffffff, 0x100000000,
					    1ull << 53, INT64_MAX, UINT64_MAX, 0x04000000, 0x401, 0x402, 0x406, 0x410 };
	size_t at = below(length), width = (size_t)1 << below(4);
	uint64_t number = below(3) ? numbers[below(sizeof numbers / sizeof *numbers)] : length - at - below(at + 1) % 16;
	for (size_t i = 0; i < width && at + i < length; i++)
		data[at + i] = (unsigned char)(number >> 8 * i);
}

/* A little more or less of what may be the low byte of a number. */
static void add_number(unsigned char *data, size_t length)
{
	size_t at = below(length);
	data[at] = (unsigned char)(data[at] + below(32) - 16);
}

static size_t mutate(unsigned char *data, size_t length)
{
	if (length == 0)
		return insert_part(data, length);
	size_t at = below(length);
	switch (below(8)) {
	case 0:
		data[at] ^= (unsigned char)(1u << below(8));
		return length;
	case 1:
		data[at] = (unsigned char)next_random();
		return length;
	case 2:
		put_number(data, length);
		return length;
	case 3:
		add_number(data, length);
		return length;
	case 4:
	case 5:
		return remove_part(data, length);
	default:
		return insert_part(data, length);
	}
}

static void read_seed(const char *path);

static void read_folder(const char *path)
{
	struct dirent **names;
	/* Sorted, or the same seed would not do the same. */
	int count = scandir(path, &names, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		char child[4096];
		snprintf(child, sizeof child, "%s/%s", path, names[i]->d_name);
		if (names[i]->d_name[0] != '.')
			read_seed(child);
		free(names[i]);
	}
	if (count >= 0)
		free(names);
}

static void read_seed(const char *path)
{
	static unsigned char data[LENGTH_MAX];
	struct stat status;
	if (stat(path, &status) == 0 && S_ISDIR(status.st_mode)) {
		read_folder(path);
		return;
	}
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? -1 : RETRY_EINTR(read(fd, data, sizeof data));
	if (length < 0) {
		fprintf(stderr, "cannot read %s: %s\n", path, strerror(errno));
		exit(2);
	}
	run(data, (size_t)length);
}

struct options {
	uint64_t seed, runs, seconds;
	const char *prefix, *target;
};

static bool takes(const char *argument, const char *option, uint64_t *value)
{
	size_t length = strlen(option);
	if (strncmp(argument, option, length) != 0)
		return false;
	*value = strtoull(argument + length, NULL, 10);
	return true;
}

static struct options options_of(char **argv)
{
	static const char prefix[] = "-artifact_prefix=";
	const char *slash = strrchr(argv[0], '/');
	struct options options = { .seed = 1, .runs = UINT64_MAX, .seconds = UINT64_MAX, .prefix = "" };
	options.target = slash ? slash + 1 : argv[0];
	for (char **argument = argv + 1; *argument; argument++) {
		if (strncmp(*argument, prefix, strlen(prefix)) == 0)
			options.prefix = *argument + strlen(prefix);
		else if (**argument == '-' && !takes(*argument, "-seed=", &options.seed) &&
			 !takes(*argument, "-runs=", &options.runs) && !takes(*argument, "-max_total_time=", &options.seconds)) {
			fprintf(stderr, "no such option: %s\n", *argument);
			exit(2);
		}
	}
	return options;
}

static void search(const struct options *options)
{
	static unsigned char data[LENGTH_MAX];
	const time_t begun = time(NULL);
	/* The clock is looked at now and then. */
	while (run_count < options->runs && (run_count % 256 != 0 || (uint64_t)(time(NULL) - begun) < options->seconds)) {
		/* Half of the time one of the latest finds: it leads on. */
		size_t newest = corpus_count < 32 ? corpus_count : 32;
		const struct input *from = &corpus[below(2) ? below(corpus_count) : corpus_count - 1 - below(newest)];
		size_t length = from->length;
		memcpy(data, from->data, length);
		for (size_t count = 1 + below(1 + below(6)); count > 0; count--)
			length = mutate(data, length);
		run(data, length);
	}
}

int main(int argc, char **argv)
{
	const struct options options = options_of(argv);
	snprintf(failed_path, sizeof failed_path, "%s%s-%llu", options.prefix, options.target,
		 (unsigned long long)options.seed);
	signal(SIGABRT, on_abort);
	signal(SIGALRM, on_alarm);
	alarm(RUN_SECONDS_MAX);

	random_state = options.seed;
	struct stat status;
	bool is_one_file = argc == 2 && stat(argv[1], &status) == 0 && S_ISREG(status.st_mode);
	run(NULL, 0);
	for (char **argument = argv + 1; *argument; argument++) {
		if (**argument != '-')
			read_seed(*argument);
	}
	if (!is_one_file)
		search(&options);
	printf("%s: %llu runs, seed %llu, %zu inputs kept\n", options.target, (unsigned long long)run_count,
	       (unsigned long long)options.seed, corpus_count);
	while (corpus_count > 0)
		free(corpus[--corpus_count].data);
	return 0;
}
