import * as assert from 'uvu/assert';
import { type Directory, decodeDirectory, encodeDirectory } from '../../cas/directory.ts';
import type { Job } from '../../protocol/job.ts';
import { suite } from '../harness/suite.ts';
import { type ExecutorRig, executorRig } from './executor-rig.ts';
import { findProcesses, untilProcess } from './processes.ts';

/** An origin with a folder /place that only tests change. */
async function amendableRig(options: Parameters<typeof executorRig>[0] = {}) {
  const rig = await executorRig(options);
  const { origin } = rig;
  const contents = new Map<string, string>([
    ['old', 'old content\n'],
    ['kept', 'kept\n'],
  ]);
  const place = (): Directory => ({
    files: [...contents].sort().map(([name, content]) => ({
      ...{ name, type: 'file' as const, mode: 0o644, mtimeNs: 1_000_000_000n },
      digest: { hash: '', sizeBytes: content.length },
    })),
    ...{ directories: [], symlinks: [], mode: 0o755 },
  });
  const listDirectory = origin.listDirectory.bind(origin);
  origin.listDirectory = async (path) => {
    const bytes = path === '/place' ? encodeDirectory(place()) : await listDirectory(path);
    if (path !== '/') return bytes;
    const root = decodeDirectory(bytes);
    const directories = [...root.directories, { name: 'place' }].sort((a, b) => (a.name < b.name ? -1 : 1));
    return encodeDirectory({ ...root, directories });
  };
  const digestFile = origin.digestFile.bind(origin);
  origin.digestFile = async (path) => {
    const content = path.startsWith('/place/') ? contents.get(path.slice('/place/'.length)) : undefined;
    return content === undefined ? digestFile(path) : origin.add(Buffer.from(content));
  };
  let revision = 0;
  return Object.assign(rig, {
    /** Changes the folder, and says so to whoever asks. */
    change(changes: Record<string, string | undefined>) {
      let isRelisted = false;
      for (const [name, content] of Object.entries(changes)) {
        isRelisted ||= content === undefined || !contents.has(name);
        if (content === undefined) contents.delete(name);
        else contents.set(name, content);
      }
      revision += 1;
      const bytes = encodeDirectory(place());
      const names = Object.keys(changes);
      origin.amended = { revision, amendments: [{ path: '/place', names, isRelisted, bytes }] };
    },
    /** A job that began after the latest change. */
    latest: (): Partial<Job> => ({
      origin: { id: 'here', epoch: 1, revision, url: 'https://127.0.0.1:1' },
      systemTraceKnown: { mirror: '', count: 0 },
    }),
  });
}

const mirrorCount = (rig: ExecutorRig) => rig.running.mirrors.mirrors.length;
const mirrorOf = (rig: ExecutorRig) => rig.running.mirrors.mirrors[0];

suite('SandboxExecutor, when something changes outside the project', (test) => {
  test('shows what nobody has looked at yet as it is now, in the same mirror', async () => {
    await using rig = await amendableRig();
    assert.is((await rig.sh('cat /place/kept')).stdout, 'kept\n');
    const mirror = mirrorOf(rig);
    rig.change({ new: 'new\n', old: undefined });
    const next = await rig.sh('cat /place/new; cat /place/kept; test -e /place/old; echo $?', rig.latest());
    assert.is(next.stdout, 'new\nkept\n1\n');
    rig.change({ third: 'third\n' });
    const { stdout, manifest } = await rig.sh('cat /place/third; ls /place', rig.latest());
    assert.is(stdout, 'third\nkept\nnew\nthird\n');
    assert.is(manifest.systemTrace?.revision, 2);
    assert.is(mirrorOf(rig), mirror);
  });

  test('shows another content, mode and size of what nobody has looked at yet', async () => {
    await using rig = await amendableRig();
    await rig.sh('cat /place/kept');
    const mirror = mirrorOf(rig);
    rig.change({ old: 'quite another content\n' });
    assert.is(
      (await rig.sh('cat /place/old; wc -c < /place/old', rig.latest())).stdout,
      'quite another content\n22\n',
    );
    assert.is(mirrorOf(rig), mirror);
  });

  for (const [what, look, change, now] of [
    ['was found', 'test -e /place/old', { old: 'changed\n' }, 'cat /place/old'],
    ['was found absent', 'test -e /place/new || :', { new: 'changed\n' }, 'cat /place/new'],
    ['was read', 'cat /place/old', { old: 'changed\n' }, 'cat /place/old'],
    ['was listed', 'ls /place', { changed: '' }, 'ls /place | head -n 1'],
  ] as const) {
    test(`begins a new mirror when something has changed that ${what}`, async () => {
      await using rig = await amendableRig();
      await rig.sh(look);
      const mirror = mirrorOf(rig);
      rig.change(change);
      assert.is((await rig.sh(now, rig.latest())).stdout, 'changed\n');
      assert.is(mirrorCount(rig), 1);
      assert.is.not(mirrorOf(rig), mirror);
    });
  }

  test('lets a job end that began before, on the mirror that it began on', async () => {
    await using rig = await amendableRig();
    const executing = rig.sh('cat /place/old; sleep 1000.5; cat /place/old', rig.latest());
    await untilProcess('1000.5', true);
    rig.change({ old: 'changed\n' });
    assert.is((await rig.sh('cat /place/old', rig.latest())).stdout, 'changed\n');
    assert.is(mirrorCount(rig), 2);
    rig.change({ unseen: '' });
    const { stdout, manifest } = await rig.sh('cat /place/unseen /place/old', rig.latest());
    assert.is(stdout, 'changed\n');
    assert.is(manifest.systemTrace?.revision, 2);
    for (const pid of findProcesses('1000.5')) process.kill(pid, 'SIGTERM');
    const first = await executing;
    assert.is(first.stdout, 'old content\nold content\n');
    assert.is(first.manifest.systemTrace?.revision, 0);
    assert.is(mirrorCount(rig), 1);
  });

  test('what a command looks at without end is no burden for those who come later', async () => {
    await using rig = await amendableRig();
    const look = (count: number) =>
      `i=0; while [ $i -lt ${count} ]; do test -e /place/no-$i; i=$((i+1)); done; :`;
    const much = await rig.sh(look(10_500), rig.latest());
    assert.ok(much.manifest.systemTrace!.observed.length > 10_500);
    const next = await rig.sh('test -e /place/old', rig.latest());
    assert.ok(next.manifest.systemTrace!.observed.length < 100);
    assert.is.not(next.manifest.systemTrace!.mirror, much.manifest.systemTrace!.mirror);
    assert.is((await rig.sh(look(20_500), rig.latest())).manifest.systemTrace, undefined);
    assert.is(mirrorCount(rig), 0);
  });
});
