import * as assert from 'uvu/assert';
import { usualTreatment } from '../../master/local-rule.ts';
import { parseLocalRules } from '../../master/local-rules.ts';
import { commandLine, place } from '../../master/placement.ts';
import type { RunRequest } from '../../protocol/run-request.ts';
import { suite } from '../harness/suite.ts';
import { runRequest } from './run-request.ts';

const decided = (request: RunRequest, rules: object[] = []) =>
  place(request, {
    rules: parseLocalRules(JSON.stringify(rules), 'x').rules,
    projectRoot: '/project',
    ownShell: '/opt/termite/sh',
  });

/** In short: without how it is treated. */
function placed(request: RunRequest, rules: object[] = []) {
  const placement = decided(request, rules);
  const { where, reason } = placement;
  if (where === 'remote') return { where, reason };
  const { isRecursive, needsSlot } = placement;
  return { where, reason, isRecursive, needsSlot };
}

suite('place()', (test) => {
  test('sends everything away by default', () => {
    assert.equal(placed(runRequest('gcc -c x.c')), { where: 'remote', reason: 'default' });
  });

  test('keeps a make below make, and lets it join in', () => {
    assert.equal(placed(runRequest('cd x && make')), {
      where: 'local',
      reason: 'recursive',
      isRecursive: true,
      needsSlot: false,
    });
  });

  const ofMake: [line: string, isRecursive: boolean][] = [
    ['./build-all', false],
    ['gcc -O2 -flto=jobserver -o x a.c', false],
    ['./make.sh && ./remake-docs', false],
    ['automake --make; cmake -P x.cmake', false],
    ['time /opt/make-4.4/make -C x', true],
    ['env A=1 make-4.4', true],
    ["sh -c 'cd x && gmake'", true],
    ['cmake --build x', true],
  ];
  for (const [line, isRecursive] of ofMake) {
    const how = isRecursive ? 'lets it join in' : 'lets nothing below it join in';
    test(`keeps what make itself takes for recursive, and ${how}: ${line}`, () => {
      assert.equal(placed(runRequest(line, { hasJobserver: true })), {
        ...{ where: 'local', reason: 'recursive', isRecursive },
        needsSlot: !isRecursive,
      });
    });
  }

  test('keeps what takes no time, without a slot', () => {
    assert.equal(placed(runRequest('mkdir -p x')), {
      where: 'local',
      reason: 'trivial',
      isRecursive: false,
      needsSlot: false,
    });
  });

  test('sends away what names our shell, and would print it', () => {
    assert.is(placed(runRequest('echo "#!/opt/termite/sh"')).where, 'remote');
    assert.is(placed(runRequest('cd x && make SHELL=/opt/termite/sh')).where, 'local');
  });

  test('lets the first rule that matches win, also over what is built in', () => {
    const rules = [
      { Regexp: '^make fast', Local: false },
      { Regexp: '^make', Local: true },
      { Regexp: 'gcc', Local: true, Recurse: true },
    ];
    assert.equal(placed(runRequest('make fast'), rules), { where: 'remote', reason: 'rule' });
    assert.equal(placed(runRequest('make slow'), rules), {
      where: 'local',
      reason: 'rule',
      isRecursive: false,
      needsSlot: true,
    });
    assert.equal(placed(runRequest('x gcc'), rules), {
      where: 'local',
      reason: 'rule',
      isRecursive: true,
      needsSlot: false,
    });
    assert.equal(placed(runRequest('ld'), rules), { where: 'remote', reason: 'default' });
  });

  test('tells which rule has decided, and treats the command as that one says', () => {
    const rules = [{ Regexp: '^x' }, { Regexp: '^gcc', Slots: 2, Cache: false, Reason: 'big' }];
    const { rule, treatment } = decided(runRequest('gcc'), rules);
    assert.equal([rule?.source, rule?.reason], ['^gcc', 'big']);
    assert.equal(treatment, { ...usualTreatment, slotCount: 2, cache: 'none' });
    const usual = decided(runRequest('ld'), rules);
    assert.equal([usual.rule, usual.treatment], [undefined, usualTreatment]);
  });

  test('leaves the place to what is built in where a rule says nothing of it', () => {
    const rules = [{ Regexp: '', Cache: false, Stdin: 'empty' }];
    const kept: [request: RunRequest, reason: string, isRecursive: boolean, needsSlot: boolean][] = [
      [runRequest('cd x && make'), 'recursive', true, false],
      [runRequest('./build-all', { hasJobserver: true }), 'recursive', false, true],
      [runRequest('ninja'), 'build-tool', true, false],
      [runRequest('meson compile -C x'), 'build-tool', true, false],
      [runRequest('ctest'), 'build-tool', false, true],
      [runRequest('meson test'), 'build-tool', false, true],
      [runRequest('mkdir x'), 'trivial', false, false],
      [runRequest('./server &'), 'background', false, false],
    ];
    for (const [request, reason, isRecursive, needsSlot] of kept) {
      assert.equal(placed(request, rules), { where: 'local', reason, isRecursive, needsSlot });
      assert.ok(decided(request, rules).treatment.hasEmptyStdin);
      assert.equal(placed(request, [{ Regexp: '', Local: false }]), { where: 'remote', reason: 'rule' });
    }
    assert.equal(placed(runRequest('gcc'), rules), { where: 'remote', reason: 'rule' });
  });

  test('keeps what runs outside of the project', () => {
    for (const cwd of ['/', '/projects', '/elsewhere/project']) {
      assert.equal(placed(runRequest('gcc', { cwd })), {
        where: 'local',
        reason: 'outside-root',
        isRecursive: false,
        needsSlot: true,
      });
    }
    const make = placed(runRequest('make', { cwd: '/' }));
    assert.equal([make.where, make.where === 'local' && make.needsSlot], ['local', false]);
    assert.is(placed(runRequest('gcc', { cwd: '/project/sub' })).where, 'remote');
  });

  test('does not look for shell syntax where there is no shell', () => {
    const request = runRequest('', { argv: ['make', 'x'], isExec: true });
    assert.equal(placed(request), { where: 'remote', reason: 'default' });
  });
});

suite('commandLine()', (test) => {
  const cases: [argv: string[], line: string][] = [
    [['-c', 'a b'], 'a b'],
    [['-ec', 'a'], 'a'],
    [['-eu', '-o', 'pipefail', '-c', 'a', 'name', 'arg'], 'a'],
    [['-euo', 'pipefail', '-c', 'a'], 'a'],
    [['-c', '-e', 'a'], 'a'],
    [['+x', '-c', 'a'], 'a'],
  ];
  for (const [argv, line] of cases) {
    test(`finds it in ${argv.join(' ')}`, () => assert.is(commandLine(runRequest('', { argv })), line));
  }
  test('is program and arguments without shell', () => {
    assert.is(commandLine(runRequest('', { argv: ['gcc', '-c', 'x y'], isExec: true })), 'gcc -c x y');
  });
});
