import * as assert from 'uvu/assert';
import { countedEnvironment } from '../../master/counted-environment.ts';
import { suite } from '../harness/suite.ts';

const none = { ignored: [], counted: [], set: {} };

/** Of a build that has all of it from whoever started it. */
function counted(
  env: readonly string[],
  {
    rule = {},
    canMatter,
    exported = [],
  }: {
    rule?: { ignored?: string[]; counted?: string[]; set?: Record<string, string> };
    canMatter?: (name: string) => boolean;
    exported?: string[];
  } = {},
): string[] {
  const isInherited = (entry: string) => !exported.includes(entry);
  return countedEnvironment(env, { rule: { ...none, ...rule }, canMatter, isInherited });
}

suite('countedEnvironment()', (test) => {
  test('is sorted, with the last of what is given twice', () => {
    assert.equal(counted(['B=2', 'A=1', 'odd', 'A=3']), ['A=3', 'B=2', 'odd']);
  });

  test('leaves out terminals, sessions, and the plumbing of make and ourselves', () => {
    const env = [
      'MAKE_TERMOUT=/dev/pts/1',
      'TERM=vt100',
      'A=0',
      'TERMITE_SESSION=x',
      'SSH_TTY=/dev/pts/1',
      'SHLVL=2',
    ];
    assert.equal(counted(env), ['A=0']);
    assert.equal(counted(['XDG_SESSION_ID=1', 'XDG_CONFIG_HOME=/c']), ['XDG_CONFIG_HOME=/c']);
    assert.equal(counted(['CMAKE_BUILD_PARALLEL_LEVEL=2']), [], 'set by ourselves');
  });

  test('takes in what make tells the commands that it starts', () => {
    assert.equal(counted(['MAKEFLAGS= -k', 'MAKELEVEL=1']), ['MAKEFLAGS= -k', 'MAKELEVEL=1']);
  });

  test('leaves out which run of a CI system it is, and takes in that it is one, and of what', () => {
    const env = [
      'GITHUB_RUN_ID=7',
      'CI_JOB_ID=7',
      'BUILD_NUMBER=7',
      'CIRCLE_BUILD_NUM=7',
      'CI=true',
      'GITHUB_SHA=a',
    ];
    assert.equal(counted(env), ['CI=true', 'GITHUB_SHA=a']);
  });

  test('takes names apart that only begin alike', () => {
    const env = ['SNAPSHOT=1', 'SYSTEM_NAME=x', 'RUN_TESTS=1', 'BUILD_IDX=1', 'EMACS=emacs', 'TERMCAPS=1'];
    assert.equal(counted(env), [...env].sort());
  });

  test('takes in what make or its command line has set, whatever its name', () => {
    const env = ['TERM=dumb', 'BUILD_NUMBER=7', 'SHLVL=2'];
    assert.equal(counted(env, { exported: env }), ['BUILD_NUMBER=7', 'TERM=dumb']);
  });

  test('leaves out what cannot matter to the command, also what make has set', () => {
    const canMatter = (name: string) => name === 'CPATH';
    assert.equal(counted(['CPATH=/i', 'A=1'], { canMatter, exported: ['A=1'] }), ['CPATH=/i']);
  });

  test('leaves out what a rule ignores, by name or by the beginning of names', () => {
    const env = ['STAMP=7', 'STAMPS=1', 'MY_JOB=3', 'CI=1'];
    assert.equal(counted(env, { rule: { ignored: ['STAMP', 'MY_*'] } }), ['CI=1', 'STAMPS=1']);
  });

  test('takes in what a rule counts', () => {
    const env = ['TERM=vt100', 'SSH_TTY=/dev/pts/1', 'VSCODE_PID=1', 'LINES=24'];
    const rule = { counted: ['TERM', 'VSCODE_*'] };
    assert.equal(counted(env, { rule, canMatter: () => false }), ['TERM=vt100', 'VSCODE_PID=1']);
  });

  test('takes in what a rule sets', () => {
    assert.equal(counted(['TERM=dumb', 'LINES=24'], { rule: { set: { TERM: 'dumb' } } }), ['TERM=dumb']);
  });
});
