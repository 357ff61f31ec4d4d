import * as assert from 'uvu/assert';
import { findMakefileShell, type MakefileShell, scanShell } from '../../wrapper/make-shell.ts';
import { suite } from '../harness/suite.ts';
import { tempDir } from '../harness/temp-dir.ts';

const cases: [makefile: string, expected: Partial<MakefileShell>][] = [
  ['all: ; true', {}],
  ['SHELL = /bin/bash', { path: '/bin/bash' }],
  ['SHELL=/bin/bash', { path: '/bin/bash' }],
  ['SHELL := /bin/bash # for arrays', { path: '/bin/bash' }],
  ['SHELL ::= /bin/bash', { path: '/bin/bash' }],
  ['  export SHELL = /bin/bash', { path: '/bin/bash' }],
  ['SHELL = /bin/sh\nSHELL = /bin/bash', { path: '/bin/bash' }],
  ['SHELL = \\\n  /bin/bash', { path: '/bin/bash' }],
  ['SHELL = /bin/bash\r\nall:\r\n', { path: '/bin/bash' }],
  ['override SHELL = /bin/bash', { path: '/bin/bash', isOverridden: true }],
  ['SHELL ?= /bin/bash', {}],
  ['SHELL += -x', {}],
  ['SHELL = bash', {}],
  ['SHELL = /bin/bash -e', {}],
  ['SHELL = $(BASH)', {}],
  ['SHELL = /usr/$(X)/bash', {}],
  ['all:\n\tSHELL = /bin/bash', {}],
  ['# SHELL = /bin/bash', {}],
  ['define X\nSHELL = /bin/bash\nendef', {}],
  ['MYSHELL = /bin/bash', {}],
  ['.SHELLFLAGS = -c', {}],
];

suite('scanShell()', (test) => {
  for (const [makefile, expected] of cases) {
    test(`reads ${JSON.stringify(makefile)}`, () =>
      assert.equal(
        scanShell(makefile, () => ''),
        { isOverridden: false, ...expected },
      ));
  }
});

suite('findMakefileShell()', (test) => {
  test('reads the first makefile in the order of make', async () => {
    await using dir = await tempDir();
    dir.write('Makefile', 'SHELL = /bin/bash');
    assert.is(findMakefileShell(dir.path, []).path, '/bin/bash');
    dir.write('GNUmakefile', '');
    assert.is(findMakefileShell(dir.path, []).path, undefined);
  });

  test('reads included makefiles where they stand', async () => {
    await using dir = await tempDir();
    dir.write(
      'Makefile',
      'SHELL = /bin/sh\ninclude mk/first.mk mk/second.mk # both\n-include $(X) none *.d\n',
    );
    dir.write('mk/first.mk', 'include mk/bash.mk');
    dir.write('mk/bash.mk', 'include mk/bash.mk Makefile\nSHELL = /bin/bash');
    dir.write('mk/second.mk', 'x.o: x.h');
    assert.equal(findMakefileShell(dir.path, []), { path: '/bin/bash', isOverridden: false });
    dir.write('mk/second.mk', 'override SHELL = /bin/dash');
    assert.equal(findMakefileShell(dir.path, []), { path: '/bin/dash', isOverridden: true });
    dir.write('Makefile', 'sinclude mk/bash.mk\nSHELL = /bin/sh\n\tinclude mk/second.mk');
    assert.equal(findMakefileShell(dir.path, []), { path: '/bin/sh', isOverridden: false });
  });

  test('reads the files of -f, and ignores a shell that is not there', async () => {
    await using dir = await tempDir();
    dir.write('a', 'SHELL = /bin/bash');
    dir.write('b', 'SHELL = /no/such/shell');
    assert.is(findMakefileShell(dir.path, ['a', 'b', '-', 'missing']).path, '/bin/bash');
  });
});
