import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import * as assert from 'uvu/assert';
import { digestOf } from '../../cas/digest.ts';
import { type ExecutorRig, executorRig } from './executor-rig.ts';
import { endProcesses, findProcesses, untilProcess } from './processes.ts';

/** The sources, not what is built. */
const sourceDir = resolve(import.meta.dirname, '../../../test/executor');

/** What jobs may try against each other and against whoever runs them. Runs as either user, and says `sealed`. */
const trials: Record<string, (rig: ExecutorRig) => Promise<void>> = {
  'no job reaches another': async (rig) => {
    execFileSync('gcc', ['-o', rig.dir.join('project/reach'), `${sourceDir}/reach.c`]);
    for (const way of ['unnamed', 'compatible', 'port']) {
      const outputs = await Promise.all(['serve', 'seek'].map((role) => rig.execute(['./reach', role, way])));
      for (const result of outputs) {
        if (!result.ok) assert.equal(result.failure.reason, 'limit', JSON.stringify(result.failure));
        else assert.equal((await rig.store.get(result.value.stdout))?.toString(), '', way);
      }
    }
  },

  /** As if it had got out of the sandbox: the descriptor is opened from outside. */
  'a descriptor of a layer leads nowhere': async (rig) => {
    const secret = 'secret\n';
    const secretPath = rig.dir.write('outside/secret', secret, { mode: 0o400 });
    const fileCount = 3000;
    rig.dir.write('project/make.pl', makeFiles);
    for (const round of [1, 2, 3, 4]) {
      const duration = `1000.${process.pid}${round}`;
      const make = `perl make.pl ${fileCount} ${secretPath} && sleep ${duration}`;
      const running = rig.execute(['/bin/sh', '-c', make]);
      await untilProcess(duration, true);
      const [sleeping] = findProcesses(duration);
      const folder = `/proc/${sleeping}/cwd/out`;
      const attacker = spawn('/usr/bin/python3', [`${sourceDir}/swap.py`, folder, `${fileCount}`], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await once(attacker.stdout, 'data');
      endProcesses(duration);
      const result = await running;
      attacker.kill('SIGKILL');
      if (!result.ok) assert.is(result.failure.reason, 'sandbox', JSON.stringify(result.failure));
    }
    assert.is(statSync(rig.dir.join('outside/secret')).mode & 0o7777, 0o400);
    assert.is(statSync(rig.dir.join('outside')).mode & 0o7777, 0o755);
    assert.is(existsSync(rig.store.pathOf(digestOf(Buffer.from(secret)))), false);
  },

  'no job has processes without number, or the keys of a session': async (rig) => {
    const script = `
import threading
threading.stack_size(32768)
end = threading.Event()
count = 0
try:
    while count < 6000:
        threading.Thread(target=end.wait).start()
        count += 1
except RuntimeError:
    pass
end.set()
print(count, "termite-test-key" in open("/proc/keys").read(), open("/proc/self/oom_score_adj").read().strip())
`;
    const result = await rig.execute(['/usr/bin/python3', '-c', script]);
    assert.ok(result.ok, 'expected a result');
    const [count, seesKey, score] = (await rig.store.get(result.value.stdout))!.toString().trim().split(' ');
    assert.ok(Number(count) > 3500 && Number(count) < 4096, count);
    assert.equal([seesKey, score], ['False', '500']);
  },

  /** `user.overlay.*` means something to overlayfs when it is mounted without privileges, and only there. */
  'attributes of a command are not marks of overlayfs': async (rig) => {
    rig.dir.write('project/d/kept', 'kept\n');
    rig.dir.write('project/other/content', 'other\n');
    for (const [name, value, path] of [
      ['opaque', 'y', 'd'],
      ['redirect', '/other', 'd'],
      ['whiteout', 'y', 'd/new'],
      ['unheard-of', 'y', 'd'],
    ]) {
      const set = `import os; os.setxattr("${path}", "user.overlay.${name}", b"${value}")`;
      const result = await rig.execute(['/bin/sh', '-c', `> d/new; /usr/bin/python3 -c '${set}'`]);
      if (result.ok) {
        // A kernel that lets nobody set it.
        assert.equal(result.value.status, { kind: 'exit', code: 1 });
        assert.equal(
          result.value.changes.map((change) => change.path),
          ['d/new'],
        );
        continue;
      }
      const limit = { kind: 'unsupported-output', path } as const;
      assert.equal(result.failure, { reason: 'limit', limit }, name);
    }
  },
};

/** Files that can only be read when their modes are changed, a folder likewise, and as many links. */
const makeFiles = `
my ($count, $secret) = @ARGV;
mkdir "out" or die; chdir "out"; mkdir "d"; symlink $secret =~ s,/[^/]*$,,r, "ld"; chmod 0277, "d";
for (0 .. $count - 1) {
    open my $file, ">", "f$_" or die; print $file "x"; close $file;
    chmod 0266, "f$_"; symlink $secret, "l$_";
}
`;

const [parent = '', name = ''] = process.argv.slice(2);
chmodSync(parent, 0o755);
await using rig = await executorRig({ parent });
await trials[name]!(rig);
console.log('sealed');
