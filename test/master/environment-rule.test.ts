import * as assert from 'uvu/assert';
import { editEnvironment, environmentEdits, noEnvironmentRule } from '../../master/environment-rule.ts';
import { suite } from '../harness/suite.ts';

const rule = { ...noEnvironmentRule, unset: ['CI_*', 'LANG'], set: { LC_ALL: 'C', EMPTY: '' } };

suite('environmentEdits()', (test) => {
  test('names each variable that is there once, and all that is set', () => {
    const env = ['CI_A=1', 'CI=1', 'CI_B=x=y', 'CI_A=2'];
    assert.equal(environmentEdits(env, rule), ['CI_A', 'CI_B', 'LC_ALL=C', 'EMPTY=']);
    assert.equal(environmentEdits(env, noEnvironmentRule), []);
  });
});

suite('editEnvironment()', (test) => {
  test('takes away, replaces and adds; the rest keeps its order', () => {
    const env = ['Z=1', 'LC_ALL=de', 'LANG=de', 'A=2', '=odd'];
    assert.equal(editEnvironment(env, environmentEdits(env, rule)), [
      ...['Z=1', 'A=2', '=odd'],
      ...['LC_ALL=C', 'EMPTY='],
    ]);
  });
});
