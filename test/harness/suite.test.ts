import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import * as assert from 'uvu/assert';
import { runProgram } from '../../runtime/child-process.ts';
import { suite } from './suite.ts';
import { tempDir } from './temp-dir.ts';

const harness = pathToFileURL(import.meta.dirname).href;

interface Outcome {
  lastLine: string;
  output: string;
  code: number;
}

/** Runs the harness over a folder with these test files. */
async function run(
  files: Record<string, string>,
  { args = [], env = {} }: { args?: string[]; env?: Record<string, string> } = {},
): Promise<Outcome> {
  await using dir = await tempDir();
  mkdirSync(dir.join('tests'));
  for (const [name, body] of Object.entries(files)) {
    dir.write(
      `tests/${name}.test.js`,
      `import { suite, skip } from '${harness}/suite.js';\nimport { tempDir } from '${harness}/temp-dir.js';\n${body}`,
    );
  }
  dir.write('tests/package.json', '{"type": "module"}');
  mkdirSync(dir.join('tmp'));
  const { status, stdout, stderr } = await runProgram(
    process.execPath,
    [join(import.meta.dirname, 'run.js'), '--root', dir.join('tests'), ...args],
    {
      env: {
        ...process.env,
        TMPDIR: dir.join('tmp'),
        MUST_FUSE: '',
        MUST_SANDBOX: '',
        TEST_TRIES: '1',
        // Some of them wait for a deadline.
        TEST_SLOWNESS: '1',
        ...env,
      },
    },
  );
  const output = `${stdout}${stderr}`;
  const lastLine = stdout.toString().trimEnd().split('\n').at(-1)!;
  return { lastLine, output, code: status.kind === 'exit' ? status.code : -status.signal };
}

/** One suite named S with this body. */
function suiteOf(body: string): Record<string, string> {
  return { bad: `suite('S', (test) => {\n${body}\n});` };
}

async function assertFails(
  files: Record<string, string>,
  counts: string,
  ...patterns: RegExp[]
): Promise<void> {
  const outcome = await run(files);
  assert.is(outcome.lastLine, counts, outcome.output);
  assert.is(outcome.code, 1);
  for (const pattern of patterns) assert.match(outcome.output, pattern);
}

const good = `test('good', () => {});`;

suite('harness', (test) => {
  test('counts what passes, and exits 0', async () => {
    const outcome = await run({
      one: `suite('A', (test) => { test('a', () => {}); test('b', async () => {}); });`,
      'two/three': `suite('B', (test) => { ${good} }); suite('C', (test) => { ${good} });`,
    });
    assert.is(outcome.lastLine, '4 passed, 0 failed', outcome.output);
    assert.is(outcome.code, 0);
  });

  test('a failing assertion fails, with its message and difference', () =>
    assertFails(
      {
        bad: `import * as assert from '${import.meta.resolve('uvu/assert')}';\nsuite('S', (test) => { ${good}\ntest('bad', () => assert.equal({ a: 1 }, { a: 2 }, 'not the same')); ${good} });`,
      },
      '2 passed, 1 failed',
      /not the same/,
      /S: bad/,
    ));

  test('whatever is thrown fails a test, at once, late or in its clean-up', async () => {
    const thrown = [
      'null',
      'undefined',
      '0',
      '"text"',
      'new Error("x")',
      'Object.assign(new Error("x"), { stack: 1 })',
    ];
    const tests = thrown.map(
      (value) => `
        test('bad', () => { throw ${value}; });
        test('bad', () => Promise.reject(${value}));
        test('bad', async () => { try { await null; } finally { throw ${value}; } });
        ${good}`,
    );
    await assertFails(suiteOf(tests.join('')), '6 passed, 18 failed', /S: bad/);
  });

  test('the error of a test is told although its clean-up fails as well', () =>
    assertFails(
      suiteOf(`test('bad', async () => {
        const error = new Error('second'); error.suppressed = new Error('first'); throw error;
      });`),
      '0 passed, 1 failed',
      /first/,
      /second/,
    ));

  test('a cause is told', () =>
    assertFails(
      suiteOf(`test('bad', () => { throw new Error('outer', { cause: new Error('inner') }); });`),
      '0 passed, 1 failed',
      /inner/,
    ));

  test('hooks that throw fail the tests they are for', async () => {
    const suites = ['null', 'new Error("boom")'].map((value) => {
      const hook = `(() => { throw ${value}; });`;
      return `
        suite('before', (test) => { test.before${hook} ${good} ${good} });
        suite('beforeEach', (test) => { test.beforeEach${hook} ${good} ${good} });
        suite('afterEach', (test) => { test.afterEach${hook} ${good} ${good} });
        suite('after', (test) => { test.after${hook} ${good} ${good} });`;
    });
    await assertFails({ bad: suites.join('') }, '4 passed, 14 failed', /after: \(after\)/);
  });

  test('hooks run around each test, and afterEach also after a failure', async () => {
    const outcome = await run(
      suiteOf(`
        for (const name of ['before', 'after', 'beforeEach', 'afterEach']) test[name](() => console.log('ran ' + name));
        test('one', () => console.log('ran one'));
        test('two', () => { console.log('ran two'); throw new Error('boom'); });`),
    );
    assert.equal(
      outcome.output.match(/ran \w+/g),
      ['before', 'beforeEach', 'one', 'afterEach', 'beforeEach', 'two', 'afterEach', 'after'].map(
        (name) => `ran ${name}`,
      ),
    );
    assert.is(outcome.lastLine, '2 passed, 1 failed');
  });

  test('a promise that never settles misses its deadline', () =>
    assertFails(
      suiteOf(`test('bad', () => new Promise(() => {}), { deadlineMs: 50 }); ${good}`),
      '1 passed, 1 failed',
      /deadline of [0-9]+ ms/,
    ));

  test('a test that blocks its process is killed', () =>
    assertFails(
      suiteOf(`test('bad', () => { for (;;); }, { deadlineMs: 50 }); ${good}`),
      '0 passed, 2 failed',
      /hung/,
    ));

  for (const code of [0, 1, 7]) {
    test(`process.exit(${code}) in a test fails it and those after it`, () =>
      assertFails(
        suiteOf(`${good} test('bad', () => process.exit(${code})); ${good}`),
        '1 passed, 2 failed',
        /S: bad/,
      ));
  }

  test('a crash fails the test at work', () =>
    assertFails(
      suiteOf(`${good} test('bad', () => process.kill(process.pid, 'SIGSEGV')); ${good}`),
      '1 passed, 2 failed',
      /SIGSEGV/,
    ));

  test('an error outside of any promise chain fails', () =>
    assertFails(
      suiteOf(`test('bad', async () => {
        setTimeout(() => { throw new Error('stray'); });
        await new Promise((resolve) => setTimeout(resolve, 1000));
      });`),
      '0 passed, 1 failed',
      /stray/,
    ));

  test('trouble after the last test fails the file', () =>
    assertFails(
      suiteOf(`${good} setTimeout(() => { throw new Error('late'); }, 100);`),
      '1 passed, 1 failed',
      /late/,
    ));

  test('something left open fails the file', () =>
    assertFails(
      suiteOf(`test('leak', () => { setInterval(() => {}, 1000); });`),
      '1 passed, 1 failed',
      /still open/,
    ));

  test('a process left behind fails the file, and is killed', () =>
    assertFails(
      {
        bad: `import { spawn } from 'node:child_process';\nsuite('S', (test) => { test('leak', () => { spawn('sleep', ['1000'], { stdio: 'ignore' }).unref(); }); });`,
      },
      '1 passed, 1 failed',
      /left processes running/,
    ));

  test('a file that failed is run again where that is wanted, and it is said', async () => {
    const unsteady = suiteOf(`test('once', () => {
      const mark = process.env.TMPDIR + '/mark';
      if (!existsSync(mark)) { writeFileSync(mark, ''); throw new Error('the first time'); }
    });`);
    unsteady['bad'] = `import { existsSync, writeFileSync } from 'node:fs';\n${unsteady['bad']}`;
    await assertFails(unsteady, '0 passed, 1 failed', /the first time/);
    const again = await run(unsteady, { env: { TEST_TRIES: '2' } });
    assert.equal([again.lastLine, again.code], ['1 passed, 0 failed', 0], again.output);
    assert.match(again.output, /Failed at first, and not when run again:\n {2}\S+bad[.]test[.]js: S: once/);
    const never = await run(suiteOf(`test('never', () => { throw new Error('each time'); });`), {
      env: { TEST_TRIES: '3' },
    });
    assert.equal([never.lastLine, never.code], ['0 passed, 1 failed', 1]);
    assert.is(never.output.match(/FAIL bad/g)?.length, 3);
  });

  test('a file that cannot be loaded, or without suite, or a suite without test fails', async () => {
    await assertFails({ bad: `throw new Error('at load');` }, '0 passed, 1 failed', /at load/);
    await assertFails({ bad: `import './absent.js';` }, '0 passed, 1 failed');
    await assertFails({ bad: '' }, '0 passed, 1 failed', /no suite/);
    await assertFails({ bad: `suite('S', () => {});` }, '0 passed, 1 failed', /Suite has no test/);
    await assertFails(
      { bad: `suite('S', () => { throw new Error('in definition'); });` },
      '0 passed, 1 failed',
      /in definition/,
    );
  });

  test('a file fails by itself, too: suites cannot be forgotten to run', async () => {
    await using dir = await tempDir();
    for (const [body, code] of [
      [`suite('S', (test) => { ${good} });`, 0],
      [`suite('S', (test) => { test('bad', () => { throw null; }); });`, 1],
      [`suite('S', (test) => { test('bad', () => process.exit(0)); });`, 1],
      ['', 1],
    ] as const) {
      const file = dir.write('a.test.mjs', `import { suite } from '${harness}/suite.js';\n${body}`);
      const { status } = await runProgram(process.execPath, [file]);
      assert.equal(status, { kind: 'exit', code }, body);
    }
  });

  test('a filter picks files, and one that matches nothing fails', async () => {
    const files = { one: `suite('S', (test) => { ${good} });`, two: `throw new Error('not to be loaded');` };
    const filtered = await run(files, { args: ['one'] });
    assert.is(filtered.lastLine, '1 passed, 0 failed', filtered.output);
    const outcome = await run(files, { args: ['one', 'nowhere'] });
    assert.is(outcome.lastLine, '1 passed, 1 failed');
    assert.is(outcome.code, 1);
    assert.match(outcome.output, /No test file matches "nowhere"/);
    const empty = await run({});
    assert.is(empty.lastLine, '0 passed, 1 failed');
    assert.is(empty.code, 1);
  });

  test('a skip is counted and its reason printed', async () => {
    const outcome = await run(suiteOf(`${good} test('later', () => skip('no fuse here', 'fuse'));`));
    assert.is(outcome.lastLine, '1 passed, 0 failed, 1 skipped', outcome.output);
    assert.is(outcome.code, 0);
    assert.match(outcome.output, /no fuse here/);
  });

  test('MUST_FUSE=1 and MUST_SANDBOX=1 forbid skips for want of those only', async () => {
    const files = suiteOf(
      `test('f', () => skip('r', 'fuse')); test('s', () => skip('r', 'sandbox')); test('o', () => skip('r'));`,
    );
    assert.is((await run(files)).lastLine, '0 passed, 0 failed, 3 skipped');
    assert.is((await run(files, { env: { MUST_FUSE: '1' } })).lastLine, '0 passed, 1 failed, 2 skipped');
    assert.is(
      (await run(files, { env: { MUST_FUSE: '1', MUST_SANDBOX: '1' } })).lastLine,
      '0 passed, 2 failed, 1 skipped',
    );
  });
});

suite('tempDir()', (test) => {
  test('leaves nothing of a test that passes, and the folder of one that fails', async () => {
    await using dir = await tempDir();
    for (const [ending, count] of [
      ['', 0],
      [`throw new Error('boom');`, 1],
      [`await new Promise(() => {});`, 1],
    ] as const) {
      const parent = dir.join(`parent-${ending.length}`);
      mkdirSync(parent);
      const outcome = await run(
        suiteOf(`test('t', async () => {
          const dir = await tempDir(${JSON.stringify(parent)});
          dir.write('a/b', 'x', { mode: 0o000 });
          await dir[Symbol.asyncDispose]();
          ${ending}
        }, { deadlineMs: 300 });`),
      );
      const left = readdirSync(parent);
      assert.is(left.length, count, outcome.output);
      if (count > 0) assert.match(outcome.output, join(parent, left[0]!));
    }
  });

  test('removes itself outside of tests', async () => {
    await using dir = await tempDir();
    const file = dir.write(
      'x.mjs',
      `import { tempDir } from '${harness}/temp-dir.js';
       import { existsSync } from 'node:fs';
       const dir = await tempDir();
       const before = existsSync(dir.path);
       await dir[Symbol.asyncDispose]();
       console.log(before, existsSync(dir.path));`,
    );
    assert.is((await runProgram(process.execPath, [file])).stdout.toString(), 'true false\n');
  });
});
