import { checkFacts } from './facts.ts';

const makefile =
  'all: made sub\n\t+@expr "$(firstword $(MAKEFLAGS))" : "\\(.*\\)"\nmade: in ; sed s/a/b/ in > made\nsub: ; @$(MAKE) --no-print-directory -C dir\n.PHONY: sub\n';
const files = { in: 'a\n', 'dir/Makefile': 'all: ; expr 1 + 1\n' };
const parallel =
  'all: $(addprefix t,1 2 3 4 5 6)\nt%: ; @sleep 0.0$*; echo $@ begins; expr $@ : "\\(.*\\)"; echo $@ fails >&2\n';

checkFacts('Options of make', {
  'that make does: -n runs only what recurses': { makefile, files, args: ['-j1', '-n'], stdout: /sed s.*\n/ },
  'that make does: -q runs nothing and tells': {
    makefile: 'all: made\nmade: in ; sed s/a/b/ in > made\n',
    files,
    args: ['-j1', '-q'],
    status: 1,
  },
  'that make does: -t touches': { makefile, files, args: ['-j1', '-t'], stdout: /touch made\n/ },
  'that make does: -s, -B and -w': { makefile, files, args: ['-j1', '-s', '-B', '-w'], remote: 3 },
  'variables of the command line': {
    makefile:
      'all: ; @expr "$$V:$W:$(MAKEOVERRIDES)" : "\\([^ ]*\\)"; $(MAKE) -s again\nagain: ; @expr "$W" : "\\(.*\\)"\n',
    args: ['-j1', 'V=1', 'W=a b'],
    stdout: /a b\n/,
  },
  'the folder and the makefile': {
    makefile: 'all: ; @exit 9\n',
    files: { 'deep/er/other.mk': 'all: ; @pwd | sed "s,.*/deep,deep,"\n' },
    args: ['-j1', '-C', 'deep', '-C', 'er', '-f', 'other.mk', '--no-print-directory'],
    stdout: /^deep\/er\n$/,
    remote: 1,
  },
  'makefiles that are made': {
    makefile: 'include made.mk\nall: ; @expr $(value)\nmade.mk: in ; @sed s/a/value=7/ in > made.mk\n',
    files,
    stdout: /^7\n$/,
    remote: 2,
  },
  'output by target': {
    makefile: 'all: a b\na b:\n\t@echo $@; expr $@ : "\\(.*\\)"; expr 1 >&2\n\t@expr 2\n',
    args: ['-j1', '-Otarget'],
    remote: 4,
  },
  'output by line, of many at once': {
    makefile: parallel,
    args: ['-j6', '-Oline'],
    anyOrder: true,
    remote: 6,
  },
  'output by recursive make': {
    makefile: 'all: one two\n.PHONY: one two\none two: ; @$(MAKE) --no-print-directory -C $@\n',
    files: { 'one/Makefile': parallel, 'two/Makefile': parallel },
    args: ['-j6', '-Orecurse'],
    anyOrder: true,
    remote: 12,
  },
  'the first command reads the input of make, others nothing': {
    makefile: 'all: a b\na: ; @read line; echo "a: $$line"\nb: a ; @cat\n',
    input: 'one\ntwo\n',
  },
  'of commands at the same time one reads the input': {
    makefile: 'all: a b c\na b c: ; @sort | sed s/$$/./ > $@\n',
    args: ['-j3'],
    remote: 3,
  },
  'input that nobody reads': { makefile: 'all: ; @expr 1\n', input: 'x'.repeat(200_000), remote: 1 },
});
