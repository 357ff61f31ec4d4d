import * as assert from 'uvu/assert';
import { type ShellAssignment, scanMakefile } from '../../wrapper/scan-makefile.ts';
import { suite } from '../harness/suite.ts';

/** What an assignment says: `all /bin/bash`, with the path; `part bash…`, with the program; `part …`. */
function describe({ scope, path, program = '' }: ShellAssignment): string {
  return `${scope} ${path ?? `${program}…`}`;
}

/** Makefiles and the assignments in them. */
const assignments: [makefile: string, ...expected: string[]][] = [
  ['all: ; true'],
  ['SHELL = /bin/bash', 'all /bin/bash'],
  ['SHELL=/bin/bash', 'all /bin/bash'],
  ['SHELL := /bin/bash # for arrays', 'all /bin/bash'],
  ['SHELL ::= /bin/bash', 'all /bin/bash'],
  ['SHELL :::= /bin/bash', 'all /bin/bash'],
  ['  export SHELL = /bin/bash', 'all /bin/bash'],
  ['SHELL = /bin/sh\nSHELL = /bin/bash', 'all /bin/sh', 'all /bin/bash'],
  ['SHELL = \\\n  /bin/bash', 'all /bin/bash'],
  ['SHELL = /bin/bash\r\nall:\r\n', 'all /bin/bash'],

  // Only make can work these out.
  ['SHELL = bash', 'all bash…'],
  ['SHELL = /bin/bash -e', 'all /bin/bash…'],
  ['SHELL = /usr/bin/env bash', 'all /usr/bin/env…'],
  ['SHELL = $(BASH)', 'all …'],
  ['SHELL = /usr/$(X)/bash', 'all …'],
  ['SHELL := $(shell command -v bash)', 'all …'],
  ['SHELL != command -v bash', 'all …'],
  ['SHELL += -x', 'all …'],
  ['SHELL =', 'all …'],
  ['SHELL = "/bin/bash"', 'all …'],
  ['private SHELL = /bin/bash', 'all /bin/bash…'],
  ['override SHELL = /bin/bash', 'all /bin/bash…'],
  ['export override SHELL := /bin/bash', 'all /bin/bash…'],
  ['define SHELL\n/bin/bash\nendef', 'part …'],
  ['override define SHELL =\n/bin/bash\nendef', 'part …'],
  ['undefine SHELL', 'part …'],
  ['$(eval SHELL := /bin/bash)', 'part …'],
  ['all:\n\t$(eval SHELL := /bin/bash)expr 1', 'part …'],
  ['$(eval $(call set,SHELL,/bin/bash))', 'part …'],

  // Not for everything.
  ['one: SHELL = /bin/bash', 'part /bin/bash'],
  ['one two:SHELL:=/bin/bash', 'part /bin/bash'],
  ['%.o: SHELL = bash', 'part bash…'],
  ['$(OBJS:.c=.o): export SHELL = /bin/bash', 'part /bin/bash'],
  ['one: override SHELL = /bin/bash', 'part /bin/bash…'],
  ['one:: SHELL += -x', 'part …'],
  ['define X\nSHELL = /bin/bash\nendef', 'part /bin/bash'],
  ['ifdef X\nSHELL = /bin/bash\nendif\nSHELL = /bin/sh', 'conditional /bin/bash', 'all /bin/sh'],
  ['ifdef X\nelse\n  SHELL = /bin/bash\nendif', 'conditional /bin/bash'],
  ['ifeq (a,b)\nifneq (c,d)\nendif\nSHELL = /bin/bash\nendif', 'conditional /bin/bash'],
  // Where there is no rule before, or it has ended, a tab is a blank.
  ['ifdef X\n\tSHELL = /bin/bash\nendif', 'conditional /bin/bash'],
  ['all: ; true\nX = 1\n\n# more\n\tSHELL = /bin/bash', 'all /bin/bash'],

  // No assignments.
  ['SHELL ?= /bin/bash'],
  ['one: SHELL ?= /bin/bash'],
  ['all:\n\tSHELL = /bin/bash'],
  ['all: x ; true\n\tSHELL=/bin/bash ./configure\n\n# more\nifdef X\n\tSHELL=/bin/bash ./x\nendif'],
  ['all: ; SHELL=/bin/bash ./configure'],
  ['# SHELL = /bin/bash'],
  ['# \\\nSHELL = /bin/bash'],
  ['MYSHELL = /bin/bash\nCONFIG_SHELL = /bin/bash\nX.SHELL = /bin/bash'],
  ['.SHELLFLAGS = -c\none: .SHELLFLAGS = -ec'],
  ['export SHELL\nunexport SHELL'],
  ['X = $(SHELL) -c\nall: ; $(SHELL) x\nifeq ($(SHELL),/bin/sh)\nendif'],
  ['$(eval X = $(SHELL))\nall:\n\teval "SHELL=x"\n\techo $$(eval SHELL=x)'],
];

suite('scanMakefile()', (test) => {
  for (const [makefile, ...expected] of assignments) {
    test(`reads ${JSON.stringify(makefile)}`, () => {
      const found = scanMakefile(makefile).flatMap((statement) =>
        statement.kind === 'assignment' ? [describe(statement.assignment)] : [],
      );
      assert.equal(found, expected);
    });
  }

  test('tells lines, those that go on below as one', () => {
    const found = scanMakefile('X = \\\n  y\n\n  SHELL \\\n  = bash \\\n  -e\nSHELL = sh');
    assert.equal(
      found.map(({ line, text }) => [line, text]),
      [
        [4, 'SHELL  = bash  -e'],
        [7, 'SHELL = sh'],
      ],
    );
  });

  test('tells what is included by a plain name', () => {
    const found = scanMakefile(
      'include a.mk $(X) b/c # d\n-include e*\nifdef X\n\tsinclude f\nendif\nall:\n\tinclude g',
    );
    const included = found.map((statement) => statement.kind === 'include' && statement);
    assert.equal(
      included.map((statement) => statement && [statement.names, statement.isConditional]),
      [
        [['a.mk', 'b/c'], false],
        [[], false],
        [['f'], true],
      ],
    );
  });

  test('tells where a shell is needed while make reads', () => {
    const uses = `X := $(shell pwd)\nY != pwd\nifeq (\${shell pwd},x)\nendif\n`;
    const others = 'X = $$(shell pwd)\nall:\n\techo $(shell pwd)\nifneq ($(X),!=)\nendif\n';
    assert.equal(
      scanMakefile(uses + others).map(({ kind, line }) => [kind, line]),
      [
        ['use', 1],
        ['use', 2],
        ['use', 3],
      ],
    );
  });

  test('tells .ONESHELL', () => {
    const found = scanMakefile('.ONESHELL:\n.ONESHELL_NOT:\n');
    assert.equal(
      found.map(({ kind, line }) => [kind, line]),
      [['one-shell', 1]],
    );
  });
});
