import { checkFacts } from './facts.ts';

const oneShell = 'of a whole build the shell is that of the first makefile';
const literalPath = 'the shell has to be the absolute path of a program that exists';

checkFacts('Makefiles that choose their shell', {
  'a shell of one target': {
    deviates: oneShell,
    makefile: 'all: one two\none: SHELL = /bin/bash\none two:\n\t@expr "$${BASH:-other}" : "\\(.*\\)"\n',
    choosesShell: true,
    stdout: /^\/bin\/bash\nother\n$/,
  },
  'an exported shell': {
    makefile: 'export SHELL = /bin/bash\nall:\n\t@expr "$$SHELL" ; sh -c "echo $$SHELL"\n',
    choosesShell: true,
    stdout: /^\/bin\/bash\n\/bin\/bash\n$/,
    remote: 1,
  },
  'perl as the shell, the recipe as a whole': {
    deviates: 'make takes ours for one that knows the blanks before a recipe line as its own',
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
  'a shell that is not there': {
    deviates: literalPath,
    makefile: 'SHELL = /no/such/shell\nall: ; expr 1\n',
    choosesShell: true,
    status: 2,
  },
  'a shell found in PATH': {
    deviates: literalPath,
    makefile: 'SHELL = bash\nall: ; @words=(a b); expr "$${words[1]}" : "\\(.*\\)"\n',
    choosesShell: true,
    stdout: /^b\n$/,
  },
  'a shell of several words': {
    deviates: literalPath,
    makefile: 'SHELL = /usr/bin/env FOO=1 bash\nall: ; @expr "$$FOO$${BASH:+bash}" : "\\(.*\\)"\n',
    choosesShell: true,
    stdout: /^1bash\n$/,
  },
  'a shell of an included makefile': {
    makefile: 'include shell.mk\nall: ; @words=(a b); expr "$${words[1]}" : "\\(.*\\)"\n',
    files: { 'shell.mk': 'SHELL = /bin/bash\n' },
    choosesShell: true,
    stdout: /^b\n$/,
  },
  'a shell of a sub-make alone': {
    deviates: oneShell,
    makefile: 'all: ; @$(MAKE) --no-print-directory -C sub; expr "$${BASH:-other}" : "\\(.*\\)"\n',
    files: { 'sub/Makefile': 'SHELL = /bin/bash\nall: ; @expr "$${BASH:-other}" : "\\(.*\\)"\n' },
    choosesShell: true,
    stdout: /^\/bin\/bash\nother\n$/,
  },
});
