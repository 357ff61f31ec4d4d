import * as assert from 'uvu/assert';
import type { z } from 'zod';
import { amendmentsSchema, encodeAmendments } from '../../protocol/amendments.ts';
import { buildLogSchema } from '../../protocol/build-log.ts';
import { controlRequestSchema } from '../../protocol/control.ts';
import { digestSchema } from '../../protocol/digest.ts';
import { executorInfoSchema } from '../../protocol/executor-info.ts';
import { jobResultSchema, jobSchema } from '../../protocol/job.ts';
import { decodeHttpError, encodeHttpError, httpErrorSchema } from '../../runtime/http-error.ts';
import { encodeJson } from '../../runtime/json.ts';
import { parseBuildLog } from '../../wrapper/read-build-log.ts';
import { exampleContext } from '../fixtures/example-context.ts';
import { mutateJson } from '../harness/mutate.ts';
import { suite } from '../harness/suite.ts';

const digest = { hash: 'af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262', sizeBytes: 0 };
const file = { type: 'file', digest, mode: 0o644, mtimeNs: '1700000000123456789' };
const manifest = {
  status: { kind: 'exit', code: 1 },
  stdout: digest,
  stderr: digest,
  changes: [
    { path: 'a', base: null, node: { type: 'directory', mode: 0o755, mtimeNs: '-1' } },
    { path: 'a/b', base: file, node: file, linkGroup: 0 },
    { path: 'a/c', base: null, node: { type: 'symlink', target: '../x', mtimeNs: '5' } },
    { path: 'd', base: { type: 'fifo', mode: 0o600 }, node: null },
  ],
  reached: [{ kind: 'network' }, { kind: 'hidden', path: '/run/x' }],
  hiddenTrace: [{ path: '/tmp/x', flags: 2 }],
  trace: [{ path: 'a/b', flags: 5 }],
  systemTrace: { mirror: 'm-1', revision: 3, from: 0, observed: [{ path: '/usr', flags: 1 }] },
  startedNs: '1700000000000000000',
  finishedNs: '1700000000000000001',
  resources: { userUs: 1, systemUs: 2, maxRssKib: 3 },
};
const job = {
  id: 'job-1',
  origin: { id: 'origin-1', epoch: 1, revision: 2, url: '' },
  projectRoot: '/srv/project',
  root: digest,
  argv: ['/bin/sh', '-c', 'cc -c a.c'],
  env: ['PATH=/bin'],
  cwd: '/srv/project',
  umask: 0o22,
  uid: 1000,
  gid: 1000,
  home: '/home/me',
  context: exampleContext,
  shown: [{ path: '/tmp/build', mode: 0o700 }],
  mergeOutput: false,
  forwardStdin: false,
  network: false,
  timeoutMs: 0,
  slots: 1,
  systemTraceKnown: { mirror: 'm-1', count: 7 },
};
const controls = [
  { op: 'open-session', check: { kind: 'hits', percent: 5 }, environment: ['A=b'], circumstances: 'x' },
  { op: 'report', isBrokenOff: true },
  { op: 'cache-collect', maxBytes: 1 },
  { op: 'status' },
];
const log = {
  version: 1,
  endedMs: 1,
  commands: [
    {
      ...{ number: 1, line: 'cc', cwd: '/', where: 'local', reason: 'rule', rule: { line: 3 }, wallMs: 1.5 },
      ...{
        limit: { kind: 'lock' },
        outputs: ['a.o'],
        differences: [{ kind: 'path', name: 'a', was: 'b', is: 'c' }],
      },
    },
  ],
};
const info = { name: 'host-1', url: 'https://127.0.0.1:1', slots: 4, free: 2, waiting: 0 };
const amendments = {
  revision: 3,
  amendments: [{ path: '/usr/lib', names: ['a'], isRelisted: true, bytes: 'CgYKAWESAA==' }],
};

/** What a schema takes, it takes again as it is sent on, and makes the same of it. */
function survives<S extends z.ZodType>(
  schema: S,
  seeds: readonly unknown[],
  encode: (value: z.output<S>) => unknown = (value) => value,
): void {
  for (const value of seeds) {
    const parsed = schema.safeParse(JSON.parse(encodeJson(value)));
    assert.ok(parsed.success, parsed.error?.message);
  }
  mutateJson(
    seeds.map((value) => JSON.parse(encodeJson(value))),
    (text) => {
      const value = parseJson(text);
      const parsed = schema.safeParse(value);
      if (!parsed.success) return;
      const again = schema.safeParse(JSON.parse(encodeJson(encode(parsed.data))));
      assert.ok(again.success, again.error?.message);
      assert.equal(again.data, parsed.data);
    },
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

suite('schemas of what others send', (test) => {
  test('jobSchema', () => survives(jobSchema, [job]));
  test('jobResultSchema', () => {
    const failures = [
      { ok: false, failure: { reason: 'cancelled' } },
      { ok: false, failure: { reason: 'executor-lost', executor: 'a', message: 'b' } },
    ];
    survives(jobResultSchema, [{ ok: true, value: manifest }, ...failures]);
  });
  test('controlRequestSchema', () => survives(controlRequestSchema, controls));
  test('buildLogSchema', () => survives(buildLogSchema, [log]));
  test('parseBuildLog() gives nothing for a log that was cut short', () => {
    const text = JSON.stringify(log);
    assert.equal(parseBuildLog(text), log);
    for (let length = 0; length < text.length; length++)
      assert.is(parseBuildLog(text.slice(0, length)), undefined);
    mutateJson([log], (mutated) => void parseBuildLog(mutated));
  });
  test('executorInfoSchema', () => survives(executorInfoSchema, [info]));
  test('digestSchema', () => survives(digestSchema, [digest]));
  test('amendmentsSchema', () => survives(amendmentsSchema, [amendments], encodeAmendments));

  test('decodeHttpError() makes an error of whatever a server says, and of its own what it was', () => {
    mutateJson([{ code: 'ENOENT', message: 'no', category: 'caller' }], (text) => {
      for (const status of [400, 404, 422, 500]) {
        const error = decodeHttpError(status, parseJson(text), 'server');
        assert.instance(error, Error);
        const { body } = encodeHttpError(error);
        assert.ok(httpErrorSchema.safeParse(body).success);
      }
    });
  });
});
