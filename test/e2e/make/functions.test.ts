import { checkFacts } from './facts.ts';

checkFacts('$(shell) and !=', {
  'run in the folder of make, once, with what they say in one line': {
    makefile:
      "x := $(shell echo a; expr b : '\\(.*\\)'; pwd | sed 's,.*/,,')\ny != ls; expr c\nall: ; @echo '$x|$y'\n",
    files: { file: '' },
    stdout: /^a b run-in-.*\|Makefile file c\n$/,
    remote: 2,
  },
  'see what was made before, and what they make is seen': {
    makefile:
      'x := $(shell sed s/a/b/ in > out)\ny := $(wildcard out) $(shell sed s/b/c/ out)\nall: ; @expr "$y" : "\\(.*\\)"\n',
    files: { in: 'a\n' },
    stdout: /^out c\n$/,
    remote: 3,
  },
  'in recipes': {
    makefile: 'all: made ; @echo "$(shell sed s/x/y/ made)"\nmade: ; @sed s/w/x/ in > made\n',
    files: { in: 'w\n' },
    stdout: /^y\n$/,
    remote: 2,
  },
  '.SHELLSTATUS': {
    makefile:
      'a := $(shell expr 1; exit 3)$(.SHELLSTATUS)\nb := $(shell expr 0 > /dev/null)$(.SHELLSTATUS)\nc != kill -TERM $$$$\n' +
      'c := $(.SHELLSTATUS)\nall: ; @echo $a $b $c\n',
    stdout: /^13 1 \d+\n$/,
  },
  'a program that is not there': {
    makefile: 'x := $(shell no-such-program; no-such-program)$(.SHELLSTATUS)\nall: ; @echo $x\n',
    stdout: /^127\n$/,
    stderr: /no-such-program: not found\n/,
  },
  'write to stderr': {
    makefile: 'x := $(shell expr 1 >&2; expr 2)\nall: ; @echo $x\n',
    stdout: /^2\n$/,
    stderr: /^1\n$/,
  },
  'inherit the input of make': {
    makefile: 'x := $(shell read line; expr "$$line" : "\\(.*\\)")\nall: ; @echo $x; cat\n',
    input: 'first\nsecond\n',
  },
  'run with -n too, and again in each sub-make': {
    makefile:
      'x := $(shell expr 1 + 1 | tee -a log)\nall:\n\t@echo $x\n\t@$(if $(sub),:,$(MAKE) --no-print-directory sub=1)\n',
    args: ['-j1', '-n'],
    stdout: /2\n/,
  },
  'exported variables': {
    makefile:
      'export V = from-makefile\nx := $(shell expr "$$V-$$MAKELEVEL" : "\\(.*\\)")\nall: ; @echo $x; expr "$$V-$$MAKELEVEL" : "\\(.*\\)"\n',
    stdout: /from-makefile-1\n$/,
  },
  '$(file)': {
    makefile:
      'all:\n\t@$(file >list,$(words a b c))sed s/3/three/ list\n\t@: $(file >>list,more)\n\t@cat list\n',
    stdout: /three\n/,
  },
});
