#include "../shell/words.h"
#include "tap.h"

#include <string.h>

/* The words are joined by '|' for comparison. */
static void takes(const char *line, const char *wanted)
{
	char joined[256] = "";
	char **words = words_of_program(line);
	for (char **word = words; word && *word; word++) {
		if (word != words)
			strcat(joined, "|");
		strcat(joined, *word);
	}
	tap_ok(words != NULL && strcmp(joined, wanted) == 0, "words_of_program() of <%s> is <%s>", line, wanted);
	free(words);
}

static void leaves(const char *line)
{
	char **words = words_of_program(line);
	tap_ok(words == NULL, "words_of_program() leaves to a shell: <%s>", line);
	free(words);
}

int main(void)
{
	takes("mv -f a.Tpo a.Po", "mv|-f|a.Tpo|a.Po");
	takes("  mv\t a  b ", "mv|a|b");
	takes("x", "x");
	takes("./x y=z --a=b", "./x|y=z|--a=b");
	takes("/bin/mkdir -p 'a b' ''", "/bin/mkdir|-p|a b|");
	takes("cc -DX='\"a b\"' -o'x'y z", "cc|-DX=\"a b\"|-oxy|z");
	takes("echo 'a\\nb' '$x' '*' '`;`'", "echo|a\\nb|$x|*|`;`");
	takes("echo a\\ b \\$x \\\\ \\'", "echo|a b|$x|\\|'");
	takes("echo %@,:+-./_\x80", "echo|%@,:+-./_\x80");
	takes("'e'cho x", "echo|x");
	takes("tests x", "tests|x");
	takes("echo cd", "echo|cd");

	static const char *const others[] = {
		"", " ", "''", "'' x", "A=b", "A=b x", "a=b c", "'A=b' x", "=x y", "echo $x", "echo \"x\"", "echo `x`", "a;b", "a ;", "a&",
		"a && b", "a | b", "a > b", "<a b", "echo *", "echo ?", "echo [a]", "echo {a}", "(a)", "! a", "~/a", "echo a~", "# a",
		"echo a #", "echo ^", "echo 'a", "echo 'a\nb'", "echo a\nb", "echo a\\\nb", "echo a\\", "cd x", ". x", ": x", "exec x",
		"exit 3", "test -e x", "[ -e x ]", "if x", "for x", "while x", "set -e", "umask 077", "wait", "read x", "eval x",
	};
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		leaves(others[i]);
	return tap_done();
}
