import * as assert from 'uvu/assert';
import { Registry } from '../../coordinator/registry.ts';
import { suite } from '../harness/suite.ts';

const info = (name: string, free = 2) => ({ name, url: 'https://127.0.0.1:1', slots: 2, free, waiting: 0 });

suite('Registry', (test) => {
  test('hear() takes in so many executors and no more, while they live', () => {
    let nowMs = 0;
    const registry = new Registry({ nowMs: () => nowMs });
    for (let i = 0; i < 1_000; i++) registry.hear(info(`e${i}`));
    assert.throws(
      () => registry.hear(info('more')),
      (error: { code: string }) => error.code === 'too-many-executors',
    );
    registry.hear(info('e7', 1));
    nowMs = 10_001;
    registry.hear(info('more'));
    assert.equal(registry.list(), [info('more')]);
  });

  test('list() is empty at first', () => {
    assert.equal(new Registry({ nowMs: () => 0 }).list(), []);
  });

  test('list() gives the live executors by name, each as it was last heard', () => {
    const registry = new Registry({ nowMs: () => 0 });
    registry.hear(info('b'));
    registry.hear(info('a'));
    registry.hear(info('b', 1));
    assert.equal(registry.list(), [info('a'), info('b', 1)]);
  });

  test('list() drops an executor that was silent for more than 10 s, and only that one', () => {
    let nowMs = 0;
    const registry = new Registry({ nowMs: () => nowMs });
    registry.hear(info('a'));
    nowMs = 2000;
    registry.hear(info('b'));
    nowMs = 10_000;
    assert.equal(registry.list().length, 2);
    nowMs = 10_001;
    assert.equal(registry.list(), [info('b')]);
  });

  test('hear() takes back an executor that was dropped', () => {
    let nowMs = 0;
    const registry = new Registry({ nowMs: () => nowMs });
    registry.hear(info('a'));
    nowMs = 20_000;
    assert.equal(registry.list(), []);
    registry.hear(info('a'));
    assert.equal(registry.list(), [info('a')]);
  });

  test('remove() forgets an executor and ignores an unknown one', () => {
    const registry = new Registry({ nowMs: () => 0 });
    registry.hear(info('a'));
    registry.remove('a');
    registry.remove('b');
    assert.equal(registry.list(), []);
  });
});
