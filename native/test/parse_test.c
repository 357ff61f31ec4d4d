#include "../shell/parse.h"
#include "tap.h"

#include <string.h>

/* Lines that are run at once: the status and what they print. */
static void runs(const char *line, int status, const char *printed)
{
	char *output = malloc(strlen(line) + 1);
	size_t length;
	int got = parse_simple_line(line, output, &length);
	tap_ok(got == status && length == strlen(printed) && memcmp(output, printed, length) == 0,
	       "parse_simple_line() runs at once: <%s>", line);
	free(output);
}

/* Lines that the master is asked about. */
static void asks(const char *line)
{
	char *output = malloc(strlen(line) + 1);
	size_t length = 1;
	int got = parse_simple_line(line, output, &length);
	tap_ok(got == -1 && length == 0, "parse_simple_line() leaves to others: <%s>", line);
	free(output);
}

static void test_simple_lines(void)
{
	static const char *const others[] = {
		"echo -n x", "echo -e x", "echo -E x", "echo -", "echo -- x", "echo '-n' x", "echo \"-n\"", "echo $x", "echo `x`",
		"echo \"$x\"", "echo '$x'", "echo \"`x`\"", "echo a\\b", "echo 'a\\nb'", "echo \"a\\nb\"", "echo a!", "echo '!'",
		"echo a; b", "echo a;", "echo a&", "echo a && b", "echo a | b", "echo a > b", "echo a >b", "echo <b", "echo *",
		"echo a?", "echo [a]", "echo {a,b}", "echo (a)", "echo ~", "echo a~", "echo #a", "echo a #b", "echo 'a", "echo \"a",
		"echo 'a\"", "echo a\nb", "echo 'a\nb'", "echo\na", "echo a\n", "\n", ":\n", "true\ntrue", "echox", "echo;", "Echo a",
		"'echo' a", "\\echo a", "FOO=bar echo a", "FOO=bar", "/bin/echo a", "true a", ": a", ": > f", "false a", "true;",
		"true && x", "!true", "! true", "# a\nb", "exit 0", "cd a", "test", "[ ]", "gcc -c a.c", "echo a\rb", "echo ^a",
		"echo a\x80", "truefalse", ":x", "@echo a", "-echo a", "echo a\vb",
	};
	runs("", 0, "");
	runs("   \t ", 0, "");
	runs(":", 0, "");
	runs(" : ", 0, "");
	runs("true", 0, "");
	runs("\ttrue ", 0, "");
	runs("false", 1, "");
	runs("  false  ", 1, "");
	runs("#", 0, "");
	runs("# anything $(x) `y` 'z", 0, "");
	runs("echo", 0, "\n");
	runs("echo ", 0, "\n");
	runs("echo a", 0, "a\n");
	runs("  echo\ta  b\t", 0, "a b\n");
	runs("echo CC    foo.o", 0, "CC foo.o\n");
	runs("echo '  CC      foo.o'", 0, "  CC      foo.o\n");
	runs("echo \"a  b\" c", 0, "a  b c\n");
	runs("echo a'b'\"c\"d", 0, "abcd\n");
	runs("echo ''", 0, "\n");
	runs("echo '' ''", 0, " \n");
	runs("echo '' -n", 0, " -n\n");
	runs("echo a -n", 0, "a -n\n");
	runs("echo a - -- -e", 0, "a - -- -e\n");
	runs("echo 'it is; (not) *special* & <here> | # ~'", 0, "it is; (not) *special* & <here> | # ~\n");
	runs("echo 'a{b,c}' \"[d]\"", 0, "a{b,c} [d]\n");
	runs("echo x=y a:b a,b a@b 50% a+b -x /a/b ./c", 0, "x=y a:b a,b a@b 50% a+b -x /a/b ./c\n");
	runs("echo '\xc3\xa9\xff'", 0, "\xc3\xa9\xff\n");
	runs("echo '\ttab'", 0, "\ttab\n");
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		asks(others[i]);
}

static void test_command(bool wanted, const char *words)
{
	char copy[256], *argv[16] = { 0 };
	int argc = 0;
	argv[argc++] = (char[]){ "sh" };
	strcpy(copy, words);
	for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	tap_ok(parse_is_command(argc, argv) == wanted, "parse_is_command() of <sh %s> is %s", words,
	       wanted ? "true" : "false");
}

static void test_commands(void)
{
	static const char *const commands[] = {
		"-c x", "-ec x", "-ce x", "-e -c x", "-eu -o pipefail -c x", "-euo pipefail -c x", "-euxo pipefail -c x",
		"-c -e x", "-c -- x", "-c x y z", "-c x -s", "-o errexit -c x", "-co errexit x", "+e -c x", "+o errexit -c x",
		"-x -c x", "--norc -c x", "--noprofile --norc -ec x", "--posix -c x", "-oo a b -c x", "-evc x", "-lc x", "-O extglob -c x",
	};
	static const char *const others[] = {
		"", "script", "script -c x", "-x script a", "-s", "-s x y", "-c", "-ec", "-c -e", "-c --", "-i -c x", "-ic x",
		"-", "- -c x", "-- -c x", "-e", "-o pipefail", "--login -c x", "--rcfile f -c x", "--version", "--help",
		"-sc x", "+c x", "-c -o x", "-e script -c", "-D -c x", "-rc x", "-c +",
	};
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		test_command(true, commands[i]);
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		test_command(false, others[i]);
}

static void test_plain_shells(void)
{
	static const struct {
		const char *shell, *variable;
		bool wanted;
	} cases[] = {
		{ "/bin/sh", "PATH=/bin", true },
		{ "/usr/bin/bash", "BASH=1", true },
		{ "dash", "X=BASH_ENV=1", true },
		{ "/opt/ash", "bash_env=1", true },
		{ "/bin/zsh", "PATH=/bin", false },
		{ "/usr/bin/perl", "PATH=/bin", false },
		{ "/bin/sh/", "PATH=/bin", false },
		{ "/bin/bash", "BASH_ENV=/x", false },
		{ "/bin/bash", "BASH_FUNC_echo%%=() { :; }", false },
		{ "/bin/sh", "SHELLOPTS=xtrace", false },
		{ "/bin/sh", "BASHOPTS=xpg_echo", false },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char other[] = "A=b", variable[64];
		strcpy(variable, cases[i].variable);
		char *environment[] = { other, variable, NULL };
		tap_ok(parse_is_plain_shell(cases[i].shell, environment) == cases[i].wanted,
		       "parse_is_plain_shell() of %s with %s is %s", cases[i].shell, cases[i].variable,
		       cases[i].wanted ? "true" : "false");
	}
}

static void test_jobservers(void)
{
	static const struct {
		const char *makeflags;
		int read_fd, write_fd; /* -1: none */
	} cases[] = {
		{ "", -1, -1 },
		{ "n", -1, -1 },
		{ " -j4 --jobserver-auth=3,4", 3, 4 },
		{ " -j4 --jobserver-auth=3,4 -- SHELL=/x CFLAGS=-O2", 3, 4 },
		{ "w -j --jobserver-fds=5,16", 5, 16 },
		{ " --jobserver-auth=3,4 --jobserver-auth=7,8", 7, 8 },
		{ " --jobserver-fds=3,4 --jobserver-auth=7,8", 7, 8 },
		{ " -j4 --jobserver-auth=3,4 --jobserver-auth=-2,-2", -1, -1 },
		{ " -j4 --jobserver-auth=-2,-2 --jobserver-auth=3,4", 3, 4 },
		{ " -j4 --jobserver-auth=fifo:/tmp/GMfifo123", -1, -1 },
		{ " --jobserver-auth=3,4 --jobserver-auth=fifo:/tmp/GMfifo123", -1, -1 },
		{ " -j4 -- X=--jobserver-auth=3,4", -1, -1 },
		{ " -j4 -- X= --jobserver-auth=3,4", -1, -1 },
		{ "--jobserver-auth=3", -1, -1 },
		{ "--jobserver-auth=3,", -1, -1 },
		{ "--jobserver-auth=3,4x", -1, -1 },
		{ "--jobserver-auth=,", -1, -1 },
		{ "--jobserver-auth=99999999999999999999,4", -1, -1 },
		{ "x--jobserver-auth=3,4", -1, -1 },
		{ "\t--jobserver-auth=3,4\t", 3, 4 },
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int read_fd = -1, write_fd = -1;
		bool found = parse_jobserver(cases[i].makeflags, &read_fd, &write_fd);
		bool right = cases[i].read_fd < 0 ? !found
						  : found && read_fd == cases[i].read_fd && write_fd == cases[i].write_fd;
		tap_ok(right, "parse_jobserver() of <%s>", cases[i].makeflags);
	}
}

int main(void)
{
	test_simple_lines();
	test_commands();
	test_plain_shells();
	test_jobservers();
	return tap_done();
}
