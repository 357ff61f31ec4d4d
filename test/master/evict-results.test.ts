import * as assert from 'uvu/assert';
import { ActionCache } from '../../cas/action-cache.ts';
import { digestOf, emptyDigest } from '../../cas/digest.ts';
import { contentOfResults, evictResults } from '../../master/evict-results.ts';
import { contentNeededElsewhere } from '../../master/other-results.ts';
import type { Digest } from '../../protocol/digest.ts';
import { suite } from '../harness/suite.ts';
import { type TempDir, tempDir } from '../harness/temp-dir.ts';

const contentOf = (name: string): Digest => digestOf(Buffer.from(name));

interface Planned {
  set?: string;
  generation?: string;
  storedMs?: number;
  content?: string;
}

/** The records of a result that was named by a path set of command `w1`. */
function resultRecords(key: string, { set = 'w1 s1', generation = 'g1', storedMs = 1, content }: Planned) {
  const node = content === undefined ? null : { type: 'file', digest: contentOf(content), mode: 0o644 };
  const manifest = { stdout: emptyDigest, stderr: emptyDigest, changes: [{ path: 'out', node }] };
  return [
    { key: `r ${key}`, value: { manifest, tookMs: 1, storedMs, set, generation } },
    { key: `s ${set}`, value: [['in', 1]] },
    { key: `t ${set}`, value: { states: ['x'], generation } },
  ];
}

const command = (weak: string, sets: string[], likeness: string) => [
  { key: `w ${weak}`, value: { sets, likeness } },
  { key: `q ${likeness}`, value: { argv: [weak], env: [], umask: 0 } },
];

async function open(dir: TempDir, name = 'results'): Promise<ActionCache> {
  return ActionCache.open(dir.join(name), { onNotice: assert.unreachable });
}

const keysOf = async (cache: ActionCache) => (await cache.list('')).map(({ key }) => key);
const all = { isStored: () => true, maxBytes: Number.POSITIVE_INFINITY };

suite('evictResults()', (test) => {
  test('leaves alone what is of use', async () => {
    await using dir = await tempDir();
    await using cache = await open(dir);
    await cache.write([
      { key: 'g g1', value: {} },
      { key: 'e g1 /usr/bin/cc', value: {} },
      { key: 'c', value: {} },
      { key: 'u r1', value: { usedMs: 5 } },
      ...command('w1', ['s1', 's2'], 'q1'),
      ...resultRecords('r1', { content: 'one' }),
      ...resultRecords('r2', { content: 'two', set: 'w1 s2' }),
    ]);
    const before = await keysOf(cache);
    assert.is(await evictResults(cache, all), 0);
    assert.equal(await keysOf(cache), before);
  });

  test('drops a result that has lost its content, generation or path set, and all that only it needed', async () => {
    await using dir = await tempDir();
    await using cache = await open(dir);
    await cache.write([
      { key: 'g g1', value: {} },
      ...command('w1', ['s1', 's2'], 'q1'),
      ...command('w2', ['s1'], 'q2'),
      ...command('w3', ['s1'], 'q1'),
      ...resultRecords('kept', { content: 'one' }),
      ...resultRecords('without-content', { content: 'gone', set: 'w1 s2' }),
      ...resultRecords('without-generation', { generation: 'g0', set: 'w2 s1' }),
      ...resultRecords('without-set', { set: 'w1 s9' }),
      ...resultRecords('without-command', { set: 'w9 s1' }),
      { key: 'r of-an-earlier-version', value: { tookMs: 1 } },
      { key: 'u without-set', value: { usedMs: 5 } },
    ]);
    const isStored = (digest: Digest) => digest.hash !== contentOf('gone').hash;
    assert.is(await evictResults(cache, { ...all, isStored }), 5);
    assert.equal(await keysOf(cache), ['g g1', 'q q1', 'r kept', 's w1 s1', 't w1 s1', 'w w1']);
    assert.equal(await cache.get('w w1'), { sets: ['s1'], likeness: 'q1' });
  });

  test('drops what was not used for longest until the others fit, a path set counted once', async () => {
    await using dir = await tempDir();
    await using cache = await open(dir);
    await cache.write([
      { key: 'g g1', value: {} },
      ...command('w1', ['s1'], 'q1'),
      ...['r1', 'r2', 'r3', 'r4'].flatMap((key, index) => resultRecords(key, { storedMs: 10 + index })),
      // The oldest one was used last.
      { key: 'u r1', value: { usedMs: 100 } },
    ]);
    const sizes = new Map((await cache.list('')).map(({ key, sizeBytes }) => [key, sizeBytes]));
    const sizeOf = (...keys: string[]) => keys.reduce((sum, key) => sum + sizes.get(key)!, 0);
    const maxBytes = sizeOf('r r1', 'r r4', 's w1 s1', 't w1 s1');
    assert.is(await evictResults(cache, { ...all, maxBytes }), 2);
    const results = (await keysOf(cache)).filter((key) => key.startsWith('r '));
    assert.equal(results, ['r r1', 'r r4']);
    assert.is(await evictResults(cache, { ...all, maxBytes: maxBytes - 1 }), 1);
    assert.is(await evictResults(cache, { ...all, maxBytes: 0 }), 1);
    assert.equal(await keysOf(cache), ['g g1']);
  });
});

suite('contentNeededElsewhere()', (test) => {
  test('tells the content of all other projects, and does not know it while one is open', async () => {
    await using dir = await tempDir();
    for (const name of ['own', 'other', 'third']) {
      await using cache = await open(dir, `${name}/results`);
      await cache.write(resultRecords('r1', { content: name }));
    }
    dir.write('fresh/master.log', '');
    const needed = () => contentNeededElsewhere(dir.join('own'), assert.unreachable);
    const hashes = [emptyDigest, contentOf('other'), contentOf('third')].map(({ hash }) => hash);
    assert.equal([...(await needed())!].sort(), hashes.sort());
    await using held = await open(dir, 'third/results');
    assert.is(await needed(), undefined);
    assert.is((await contentOfResults(held)).size, 2);
  });
});
