import { checkFacts } from './facts.ts';

/** Prints a word and the shell, by a program. */
const tellAs = (word: string) => `expr "${word} $\${BASH:-other}" : "\\(.*\\)"`;
const tell = tellAs('$@');

checkFacts('Makefiles that choose their shell', {
  'a shell of one target': {
    makefile: `all: one two\none: SHELL = /bin/bash\none two:\n\t@${tell}\n`,
    choosesShell: true,
    stdout: /^one \/bin\/bash\ntwo other\n$/,
    remote: 2,
  },
  'a shell of a pattern, and one of a target with flags': {
    makefile: `all: x.1 y.2\n%.1: SHELL = /bin/bash\ny.2: SHELL = bash\ny.2: .SHELLFLAGS = -eu -c\n%.1 %.2:\n\t-@${tell}; false; expr on\n`,
    choosesShell: true,
    stdout: /^x\.1 \/bin\/bash\non\ny\.2 \S*\/bash\n$/,
    remote: 2,
  },
  'an exported shell': {
    makefile: 'export SHELL = /bin/bash\nall:\n\t@expr "$$SHELL" ; sh -c "echo $$SHELL"\n',
    choosesShell: true,
    stdout: /^\/bin\/bash\n\/bin\/bash\n$/,
    remote: 1,
  },
  'an exported shell by its bare name': {
    makefile: 'export SHELL := bash\nall:\n\t@expr "$$SHELL $(SHELL)" : "\\(.*\\)"; sh -c "echo $$SHELL"\n',
    choosesShell: true,
    stdout: /^bash bash\nbash\n$/,
    remote: 1,
  },
  'perl as the shell, the recipe as a whole': {
    makefile:
      'SHELL = /usr/bin/perl\n.SHELLFLAGS = -e\n.ONESHELL:\nall:\n\tmy $$n = 6;\n\tprint "n is ",\n\t  $$n * 7, "\\n";\n',
    choosesShell: true,
    stdout: /n is 42\n$/,
  },
  'perl as the shell': {
    makefile:
      'SHELL = /usr/bin/perl\n.SHELLFLAGS = -e\nall:\n\t@print "$@ is ", 6 * 7, "\\n"; open F, ">made"; print F "x"; exit 3\n',
    choosesShell: true,
    status: 2,
    stdout: /^all is 42\n$/,
  },
  'perl for one target': {
    makefile:
      'all: one two\none: SHELL = perl\none: .SHELLFLAGS = -e\none: ; @print "$$0 ", 6 * 7, "\\n"; exit\ntwo: ; @expr $@ : t\n',
    choosesShell: true,
    stdout: /^-e 42\n1\n$/,
    remote: 1,
  },
  'a shell that is not there': {
    makefile: 'SHELL = /no/such/shell\nall: ; expr 1\n',
    choosesShell: true,
    status: 2,
  },
  'a shell found in PATH': {
    makefile: 'SHELL = bash\nall: ; @words=(a b); expr "$${words[1]}" : "\\(.*\\)"; ./missing\n',
    choosesShell: true,
    status: 2,
    stdout: /^b\n$/,
    remote: 1,
  },
  'a shell of several words': {
    makefile: 'SHELL = /usr/bin/env FOO=1 bash\nall: ; @expr "$$FOO$${BASH:+bash}" : "\\(.*\\)"\n',
    choosesShell: true,
    stdout: /^1bash\n$/,
    remote: 1,
  },
  'a shell with an option': {
    makefile: 'SHELL = /bin/bash -e\nall:\n\t-@expr $$-; false; expr on\n\t@expr on\n',
    choosesShell: true,
    stdout: /^e\w*\non\n$/,
    remote: 2,
  },
  'shells that are computed': {
    makefile: `NAME = bash\nSHELL := $(shell command -v $(NAME))\nX := $(shell ${tellAs('x')})\nall: ; @expr "$(X), $@" : "\\(.*\\)"\n`,
    choosesShell: true,
    stdout: /^x \S*\/bash, all\n$/,
    remote: 3,
  },
  'a shell by !=, and one by += from there on': {
    makefile: `SHELL != command -v bash\nSHELL += -x\nall: ; @${tell}\n`,
    choosesShell: true,
    stdout: /^all \S*\/bash\n$/,
    stderr: /^\+ expr/,
    remote: 2,
  },
  'a shell under a condition': {
    makefile: `ifdef WITH_BASH\n\tSHELL = /bin/bash\nendif\nall: ; @${tell}\n`,
    choosesShell: true,
    stdout: /^all other\n$/,
    remote: 1,
  },
  'a shell that is evaluated': {
    makefile: `define use\nSHELL = $(1)\nendef\n$(eval $(call use,/bin/bash))\nall: ; @${tell}\n`,
    choosesShell: true,
    stdout: /^all \/bin\/bash\n$/,
    remote: 1,
  },
  'a shell that overrides': {
    makefile: `override SHELL = /bin/bash\nall: ; @${tell}\n\t@$(MAKE) --no-print-directory -f two.mk\n`,
    files: { 'two.mk': `two: ; @${tell}\n` },
    choosesShell: true,
    stdout: /^all \/bin\/bash\ntwo other\n$/,
    remote: 2,
  },
  'another shell before than after': {
    makefile: `X := $(shell ${tellAs('x')})\nSHELL = /bin/bash\nY := $(shell ${tellAs('y')})\nall: ; @expr "$(X), $(Y)" : "\\(.*\\)"\n`,
    choosesShell: true,
    stdout: /^x other, y \/bin\/bash\n$/,
    remote: 3,
  },
  'a shell of an included makefile': {
    makefile: 'include shell.mk\nall: ; @words=(a b); expr "$${words[1]}" : "\\(.*\\)"\n',
    files: { 'shell.mk': 'SHELL = /bin/bash\n' },
    choosesShell: true,
    stdout: /^b\n$/,
    remote: 1,
  },
  'a shell of a makefile that is included by a computed name': {
    makefile: `include $(wildcard *.mk)\nall: ; @${tell}\n`,
    files: { 'shell.mk': 'SHELL = /bin/bash\n' },
    choosesShell: true,
    stdout: /^all \/bin\/bash\n$/,
    remote: 1,
  },
  'a shell of a sub-make alone': {
    makefile: `all: ; @$(MAKE) --no-print-directory -C sub; ${tell}\n`,
    files: { 'sub/Makefile': `SHELL = /bin/bash\nall: ; @${tell}\n` },
    choosesShell: true,
    stdout: /^all \/bin\/bash\nall other\n$/,
    remote: 1,
  },
  'a shell of the first make alone, side by side': {
    makefile: `SHELL = /bin/bash\nall: a b c\na b c: ; @$(MAKE) --no-print-directory -C sub $@$@; ${tell}\n`,
    files: { 'sub/Makefile': `%: ; @${tell}\n` },
    args: ['-j3'],
    anyOrder: true,
    choosesShell: true,
    stdout: /^[abc]{2} other$/m,
    remote: 3,
  },
  'whole recipes for two shells': {
    makefile: `.ONESHELL:\nall: one two\none: SHELL = bash\none two:\n\t@x=1\n\t-if test $$x; then\n\t  @${tell}\n\tfi\n`,
    choosesShell: true,
    stdout: /^one \S*\/bash\ntwo other\n$/,
    remote: 2,
  },
  'a shell for one target, and options of make': {
    makefile: `all: one two\none: SHELL = bash\none two:\n\t@${tell}; exit 3\n`,
    args: ['-j2', '-k', '-Otarget', '--no-print-directory'],
    anyOrder: true,
    choosesShell: true,
    status: 2,
    stderr: /Error 3/,
    remote: 2,
  },
  'a shell for one target that dies by a signal': {
    makefile: 'all: SHELL = bash\nall: ; @echo half > all; exec perl -e \'kill "TERM", $$$$\'\n',
    choosesShell: true,
    status: 2,
    stderr: /Terminated/,
    remote: 1,
  },
});
