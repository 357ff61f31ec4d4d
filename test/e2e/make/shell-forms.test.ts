import { checkFacts } from './facts.ts';

checkFacts('How make calls its shell', {
  'the default flags': {
    makefile: 'all: ; @expr "$$-" : ".*" > /dev/null; echo "$$0 $$-"; false; echo on\n',
    stdout: /on\n$/,
    remote: 1,
  },
  '.POSIX: the first failure ends the line': {
    makefile: '.POSIX:\nall:\n\t@expr 1; false; echo on\n',
    status: 2,
    stdout: /^1\n$/,
    remote: 1,
  },
  'flags that are several words': {
    makefile: 'SHELL = /bin/bash\n.SHELLFLAGS = -e -u -o pipefail -c\nall:\n\t@false | cat; echo on\n',
    choosesShell: true,
    status: 2,
    stdout: /^$/,
    remote: 1,
  },
  'flags of one word and more': {
    makefile:
      'SHELL = /bin/bash\n.SHELLFLAGS = -eu -o pipefail -c\nall:\n\t@set -o | grep pipefail; echo $$unset; echo on\n',
    choosesShell: true,
    status: 2,
    stdout: /^pipefail\s+on\n$/,
    remote: 1,
  },
  'flags of one target': {
    makefile: 'all: one two\none: .SHELLFLAGS = -ec\none two:\n\t@-expr $@; false; echo $@ goes on\n',
    stdout: /^one\ntwo\ntwo goes on\n$/,
    remote: 2,
  },
  'a command with a name and arguments': {
    makefile: `all: ; @$(SHELL) -c 'expr "$$0 $$1 $$2" : "\\(.*\\)"' name 'one two' three\n`,
    choosesShell: true,
    stdout: /^name one two three\n$/,
    remote: 1,
  },
  'scripts as files, with options, from standard input, and with arguments': {
    makefile:
      'all:\n\t@$(SHELL) script a "b c"\n\t@$(SHELL) -x script d 2>&1\n' +
      '\t@echo "expr 6 \\* 7" | $(SHELL)\n\t@$(SHELL) -s x y < script\n',
    files: { script: 'echo "$# $1 $2"\n' },
    choosesShell: true,
    stdout: /^2 a b c\n\+ echo 1 d\s*\n1 d\s*\n42\n2 x y\n$/,
    remote: 4,
  },
  CONFIG_SHELL: {
    makefile: 'all: ; @CONFIG_SHELL=$(SHELL) ./configure --x\n',
    files: {
      configure:
        '#!/bin/sh\nif test "$1" = --x; then exec $CONFIG_SHELL "$0" again "$CONFIG_SHELL"; fi\necho "$0 $1 $2"\n',
    },
    choosesShell: true,
    stdout: /^\.\/configure again \/bin\/sh\n$/,
    remote: 1,
  },
  'escaped newlines and comments': {
    makefile:
      "all:\n\t@expr 'one \\\n\ttwo' : '\\(.*\\)'; # no more \\\n\techo hidden\n\t@expr two && \\\n\t  echo three\n\t@# for the shell\n",
    stdout: /three\n$/,
    remote: 2,
  },
  'lines that do nothing': {
    makefile: 'empty =\nall:\n\t:\n\t@:\n\t$(empty)\n\t\\\n\t\n\t@true\n\t-@\n',
    stdout: /^:\n/,
  },
  'prefixes in any order': {
    makefile: 'all:\n\t-@expr 0\n\t@-+expr 0 + 0\n\t - @ expr 1\n',
    stdout: /^0\n0\n1\n$/,
  },
  '.ONESHELL': {
    makefile:
      ".ONESHELL:\nall:\n\t@a=1\n\t@-b=2\n\tif test $$a = 1; then\n\t  +expr $$a + $$b\n\tfi\n\tfalse\n\texpr 'the end' : '\\(.*\\)'\n",
    stdout: /^3\nthe end\n$/,
    remote: 1,
  },
  '.ONESHELL with flags': {
    makefile: '.ONESHELL:\n.SHELLFLAGS = -ec\nall:\n\t@expr 1\n\tfalse\n\techo on\n',
    stdout: /^1\n$/,
    status: 2,
    remote: 1,
  },
});
