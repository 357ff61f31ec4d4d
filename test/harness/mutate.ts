import * as assert from 'uvu/assert';
import { randomOf } from './random.ts';

/** Per test; `FUZZ_RUNS=1000000` searches longer, `FUZZ_SEED=2` elsewhere. */
const runs = Number(process.env['FUZZ_RUNS'] ?? 1_000);
const seed = Number(process.env['FUZZ_SEED'] ?? 1);

type Random = (limit: number) => number;

const numbers = [0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x7fff_ffff, 0x8000_0000, 0x0200_0000, 0xffff_ffff];
const values: readonly unknown[] = [
  ...[
    null,
    true,
    -1,
    1.5,
    2 ** 31,
    2 ** 53,
    2 ** 64,
    -(2 ** 53),
    1e300,
    {},
    [],
    '',
    '.',
    '..',
    '/',
    'a/../b',
  ],
  ...['\0', '\ud800', '\udcff', '-1', '__proto__', 'constructor', 'x'.repeat(5_000), '9'.repeat(40)],
  ...[[[[[]]]], { length: 2 ** 32 }, JSON.parse('{"__proto__": {"polluted": true}}')],
];

/**
 * Hands over each seed, and mutations of them. What throws is told with the input that made it.
 * Nothing that was parsed may have got into the prototype of all objects.
 */
export function mutateBytes(seeds: readonly Uint8Array[], check: (bytes: Buffer) => void): void {
  const random = randomOf(seed);
  const run = (bytes: Buffer) =>
    explain(
      () => check(bytes),
      () => bytes.toString('hex'),
    );
  for (const bytes of seeds) run(Buffer.from(bytes));
  for (let i = 0; i < runs; i++) {
    let bytes: Buffer = Buffer.from(pick(seeds, random));
    for (let count = 1 + random(3); count > 0; count--) bytes = mutated(bytes, seeds, random);
    run(bytes);
  }
  assert.equal(Object.keys(Object.prototype), []);
  assert.is(({} as { polluted?: unknown }).polluted, undefined);
}

/** The same with values of JSON: parts of them are replaced, left out, given twice or `__proto__`. As they are, and as text. */
export function mutateJson(seeds: readonly unknown[], check: (text: string) => void): void {
  const random = randomOf(seed);
  const texts = seeds.map((value) => JSON.stringify(value));
  const run = (text: string) =>
    explain(
      () => check(text),
      () => text,
    );
  for (let i = 0; i < runs; i++) {
    const value: unknown = JSON.parse(pick(texts, random));
    run(JSON.stringify(random(3) === 0 ? changed(changed(value, random), random) : changed(value, random)));
  }
  mutateBytes(
    texts.map((text) => Buffer.from(text)),
    (bytes) => check(bytes.toString()),
  );
}

function explain(action: () => void, describe: () => string): void {
  try {
    action();
  } catch (error) {
    throw new Error(`FUZZ_SEED=${seed}: fails for ${describe().slice(0, 20_000)}`, { cause: error });
  }
}

function mutated(bytes: Buffer, seeds: readonly Uint8Array[], random: Random): Buffer {
  const at = random(bytes.length + 1);
  switch (bytes.length === 0 ? 4 : random(6)) {
    case 0:
      bytes[at] = bytes[at]! ^ (1 << random(8));
      return bytes;
    case 1:
      bytes[at] = random(256);
      return bytes;
    case 2:
      if (at + 4 <= bytes.length) bytes.writeUInt32LE(pick(numbers, random), at);
      return bytes;
    case 3:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random(8))]);
    default: {
      const other = pick(seeds, random);
      const from = random(other.length + 1);
      const part = other.subarray(from, from + random(other.length - from + 1));
      return Buffer.concat([bytes.subarray(0, at), part, bytes.subarray(at)]);
    }
  }
}

/** A copy in which one part is something else. */
function changed(value: unknown, random: Random): unknown {
  const isInner = typeof value === 'object' && value !== null && Object.keys(value).length > 0;
  if (!isInner || random(6) === 0) return pick(values, random);
  if (Array.isArray(value)) {
    const at = random(value.length);
    const item = value[at];
    return value.toSpliced(at, 1, ...pick([[], [item, item], [changed(item, random)]], random));
  }
  const entries = Object.entries(value);
  const at = random(entries.length);
  const [key, item] = entries[at]!;
  const replaced = pick<[string, unknown][]>(
    [
      [],
      [
        [key, item],
        ['__proto__', { polluted: true }],
      ],
      [[key, changed(item, random)]],
      [[key, changed(item, random)]],
    ],
    random,
  );
  return Object.fromEntries(entries.toSpliced(at, 1, ...replaced));
}

function pick<T>(items: readonly T[], random: Random): T {
  return items[random(items.length)]!;
}
