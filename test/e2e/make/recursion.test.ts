import { checkFacts } from './facts.ts';

const sub = { 'sub/Makefile': 'made: ../in ; @sed s/a/b/ ../in > made; expr $(MAKELEVEL)\n', in: 'a\n' };

checkFacts('make below make', {
  'in the words of make': {
    makefile: `all:\n\t@$(MAKE) --no-print-directory -C sub\n\t@cd sub && \${MAKE} -s -B\n\t+@make -s -C sub -B\n`,
    files: sub,
    stdout: /^1\n1\n1\n$/,
    remote: 3,
  },
  'three levels down, side by side': {
    makefile: '.PHONY: x y\nall: x y\nx y: ; @$(MAKE) --no-print-directory -C $@\n',
    files: {
      'x/Makefile': 'all: ; @$(MAKE) --no-print-directory -f deeper.mk\n',
      'x/deeper.mk': 'all: a b\na b: ; @expr $(MAKELEVEL) + 0 > $@\n',
      'y/Makefile': 'all: a b\na b: ; @expr $(MAKELEVEL) + 0 > $@\n',
    },
    args: ['-j4'],
    anyOrder: true,
    remote: 4,
  },
  'hidden in a script': {
    makefile: 'all: ; @./build-it\n',
    files: { 'build-it': '#!/bin/sh\nexec make --no-print-directory -C sub\n', ...sub },
    stdout: /^1\n$/,
    remote: 1,
  },
  'hidden in a variable of the shell': {
    makefile: 'all: ; @program=$$(echo ekam | rev); $$program --no-print-directory -C sub\n',
    files: sub,
    stdout: /^1\n$/,
    remote: 1,
  },
  'on a makefile from standard input': {
    makefile: 'all: ; @echo "all: ; @expr 6 + 1" | $(MAKE) --no-print-directory -f -\n',
    stdout: /^7\n$/,
    remote: 1,
  },
  'with variables and options handed down': {
    makefile: 'export E = exported\nall: ; @$(MAKE) --no-print-directory -C sub V="x y"\n',
    files: {
      'sub/Makefile':
        'all: one two\none: ; @expr "$E $V $W" : "\\(.*\\)"; exit 1\ntwo: ; @expr two : "\\(.*\\)"\n',
    },
    args: ['-j1', '-k', 'W=z'],
    status: 2,
    stdout: /^exported x y z\ntwo\n$/,
    remote: 2,
  },
  'that fails': {
    makefile: 'all: ; @$(MAKE) --no-print-directory -C sub; expr then; exit 5\n',
    files: { 'sub/Makefile': 'all: ; @expr 1; exit 9\n' },
    status: 2,
    stderr: /Error 9\n.*Error 5\n$/,
  },
});
