import {
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { ActionCache } from '../../cas/action-cache.ts';
import { skip, suite } from '../harness/suite.ts';
import { TermiteRig } from '../rigs/termite.ts';
import { differences, readTree } from '../rigs/tree.ts';
import { sandboxObstacle } from '../rigs/user.ts';

const names = Array.from({ length: 12 }, (_, index) => `o${index}`);
const makefile = `all: ${names.join(' ')} sum\n${names.map((name) => `${name}: in\n\tsed s/x/${name}/ in > ${name}\n`).join('')}sum: ${names.join(' ')}\n\tcat ${names.join(' ')} > sum\nclean:\n\trm -f o* sum\n`;

/** Each test builds four times or more. */
const patient = { deadlineMs: 60_000 };

/** A project that has been built once, so that all its results are known. */
class BuiltRig extends TermiteRig {
  #expected = new Map<string, string>();

  async prepare(): Promise<void> {
    const obstacle = sandboxObstacle();
    if (obstacle) skip(obstacle, 'fuse');
    writeFileSync(join(this.project, 'Makefile'), makefile);
    writeFileSync(join(this.project, 'in'), 'x'.padEnd(2000, '.').concat('\n'));
    await this.run(['make']);
    this.#expected = this.#tree();
    await this.clean();
    const { report } = await this.report(['make', '-j2']);
    assert.is(report.cached + report.remote, names.length + 1);
    await this.clean();
  }

  async clean(): Promise<void> {
    await this.run(['make', 'clean']);
  }

  /** The build ends right, whatever has happened to the cache. @returns its hits */
  async assertBuilds(): Promise<number> {
    const { status, stderr, report } = await this.report(['make', '-j2']);
    assert.is(status, 0, stderr);
    this.assertBuilt();
    return report.cached;
  }

  assertBuilt(): void {
    assert.equal(differences(this.#expected, this.#tree()), []);
  }

  /** Folder of the results' database. */
  get database(): string {
    const projects = join(this.base, 'cache/termite/projects');
    return join(projects, readdirSync(projects)[0]!, 'results');
  }

  blobs(): string[] {
    const store = join(this.base, 'cache/termite/cas');
    return readdirSync(store)
      .filter((name) => name.length === 2)
      .flatMap((name) => readdirSync(join(store, name)).map((hash) => join(store, name, hash)));
  }

  #tree(): Map<string, string> {
    return readTree(this.project, (path) => path.startsWith('.termite'));
  }
}

async function withBuilt(body: (rig: BuiltRig) => Promise<void>): Promise<void> {
  await using rig = new BuiltRig('root');
  await rig.prepare();
  await body(rig);
}

/** Opens the database as soon as the last master has closed it. */
async function hold(dir: string): Promise<ActionCache> {
  for (;;) {
    try {
      return await ActionCache.open(dir, { onNotice: () => {} });
    } catch {
      await new Promise((wake) => setTimeout(wake, 20));
    }
  }
}

function flip(path: string, at: number): void {
  const fd = openSync(path, 'r+');
  try {
    writeSync(fd, Buffer.of(0x5a, 0xa5, 0x5a), 0, 3, at);
  } finally {
    closeSync(fd);
  }
}

suite('The cache of results, when something is broken', (test) => {
  for (const [what, isReplay] of [
    ['replaying', true],
    ['running and storing', false],
  ] as const) {
    test(
      `the master killed while ${what}: the next build is right`,
      () =>
        withBuilt(async (rig) => {
          if (!isReplay) await rig.termite(['cache', 'clear']);
          await using master = await rig.daemon(['master'], /ready/);
          const build = rig.termite(['make', '-j2']);
          // In the middle of it.
          while (!readdirSync(rig.project).includes('o3')) await new Promise((wake) => setImmediate(wake));
          await master.end('SIGKILL');
          const { status, stderr } = await build;
          if (status === 0) rig.assertBuilt();
          else assert.match(stderr, /master died while applying outputs: run make again/);
          await rig.assertBuilds();
          await rig.clean();
          await rig.assertBuilds();
        }),
      patient,
    );
  }

  test(
    'the database locked by somebody else: all runs, and it is said',
    () =>
      withBuilt(async (rig) => {
        {
          await using _holder = await hold(rig.database);
          assert.is(await rig.assertBuilds(), 0);
        }
        await rig.clean();
        assert.is(await rig.assertBuilds(), names.length + 1);
      }),
    patient,
  );

  test(
    'all blobs truncated: all runs',
    () =>
      withBuilt(async (rig) => {
        for (const blob of rig.blobs()) truncateSync(blob, Math.floor(statSync(blob).size / 2));
        assert.is(await rig.assertBuilds(), 0);
        await rig.clean();
        assert.is(await rig.assertBuilds(), names.length + 1);
      }),
    patient,
  );

  test(
    'all blobs flipped: all runs',
    () =>
      withBuilt(async (rig) => {
        for (const blob of rig.blobs())
          if (statSync(blob).size > 3) flip(blob, Math.floor(statSync(blob).size / 3));
        await rig.assertBuilds();
        await rig.clean();
        await rig.assertBuilds();
      }),
    patient,
  );

  for (const [what, harm] of [
    ['flipped', (path: string) => flip(path, 1000)],
    ['truncated', (path: string) => truncateSync(path, 1000)],
    ['deleted', (path: string) => rmSync(path)],
  ] as const) {
    test(
      `blobs ${what} under a running master: only what needs them runs`,
      () =>
        withBuilt(async (rig) => {
          await using _master = await rig.daemon(['master'], /ready/);
          assert.is(await rig.assertBuilds(), names.length + 1);
          await rig.clean();
          const harmed = rig.blobs().filter((path) => /^o[27][.]/.test(readFileSync(path, 'latin1')));
          assert.is(harmed.length, 2);
          harmed.forEach(harm);
          assert.is(await rig.assertBuilds(), names.length - 1);
          await rig.clean();
          assert.is(await rig.assertBuilds(), names.length + 1);
        }),
      patient,
    );
  }

  for (const [what, harm] of [
    ['truncated', (path: string) => truncateSync(path, Math.floor(statSync(path).size / 2))],
    ['flipped', (path: string) => flip(path, Math.floor(statSync(path).size / 2))],
    ['deleted', (path: string) => rmSync(path)],
  ] as const) {
    test(
      `the files of the database ${what}: the build is right, and so is the next`,
      () =>
        withBuilt(async (rig) => {
          for (const name of readdirSync(rig.database)) {
            const path = join(rig.database, name);
            if (statSync(path).size > 8) harm(path);
          }
          await rig.assertBuilds();
          await rig.clean();
          assert.is(await rig.assertBuilds(), names.length + 1);
        }),
      patient,
    );
  }
});
