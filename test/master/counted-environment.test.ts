import * as assert from 'uvu/assert';
import { countedEnvironment } from '../../master/counted-environment.ts';
import { suite } from '../harness/suite.ts';

const none = { ignored: [], counted: [], set: {} };

suite('countedEnvironment()', (test) => {
  test('is sorted, with the last of what is given twice', () => {
    assert.equal(countedEnvironment(['B=2', 'A=1', 'odd', 'A=3'], none), ['A=3', 'B=2', 'odd']);
  });

  test('leaves out terminals, sessions, and the plumbing of make and ourselves', () => {
    const env = ['MAKEFLAGS= -j8', 'TERM=vt100', 'A=0', 'TERMITE_SESSION=x', 'SSH_TTY=/dev/pts/1', 'SHLVL=2'];
    assert.equal(countedEnvironment(env, none), ['A=0']);
    assert.equal(countedEnvironment(['XDG_SESSION_ID=1', 'XDG_CONFIG_HOME=/c'], none), [
      'XDG_CONFIG_HOME=/c',
    ]);
  });

  test('leaves out what a rule ignores, by name or by the beginning of names', () => {
    const env = ['BUILD_ID=7', 'BUILD_IDX=1', 'CI_JOB=3', 'CI=1'];
    assert.equal(countedEnvironment(env, { ...none, ignored: ['BUILD_ID', 'CI_*'] }), [
      'BUILD_IDX=1',
      'CI=1',
    ]);
  });

  test('takes in what a rule counts', () => {
    const env = ['TERM=vt100', 'SSH_TTY=/dev/pts/1', 'VSCODE_PID=1', 'LINES=24'];
    assert.equal(countedEnvironment(env, { ...none, counted: ['TERM', 'VSCODE_*'] }), [
      'TERM=vt100',
      'VSCODE_PID=1',
    ]);
  });

  test('takes in what a rule sets', () => {
    assert.equal(countedEnvironment(['TERM=dumb', 'LINES=24'], { ...none, set: { TERM: 'dumb' } }), [
      'TERM=dumb',
    ]);
  });
});
