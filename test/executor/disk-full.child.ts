import { randomBytes } from 'node:crypto';
import { readdirSync, writeFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { executorRig } from './executor-rig.ts';

/** Runs in a mount namespace where DIR has little space; prints what became of each job as a line of JSON. */
const [dir = '', scenario = ''] = process.argv.slice(2);
await using rig = await executorRig({
  ...(scenario === 'store' ? { storeDir: `${dir}/cas` } : { parent: dir }),
  ...(scenario === 'jobs' && { memoryBytesPerJob: 0 }),
});
const lines: Record<string, string[]> = {
  store: ['cat hello.txt', 'cat big > /dev/null', 'head -c 8000000 /dev/urandom > out', 'cat hello.txt'],
  jobs: ['cat hello.txt', 'head -c 30000000 /dev/urandom > out', 'cat hello.txt'],
  everything: [
    'cat hello.txt',
    'head -c 30000000 /dev/urandom > out; exit 1',
    'head -c 30000000 /dev/urandom > out',
    'cat hello.txt',
  ],
};
if (scenario === 'store') writeFileSync(`${rig.project}/big`, randomBytes(8_000_000));
for (const line of lines[scenario]!) {
  const result = await rig.execute(['/bin/sh', '-c', line]);
  console.log(JSON.stringify(result.ok ? result.value.status : result.failure));
  // The box removes a job's files when the result is out: the next job needs their space.
  const [work = ''] = readdirSync(rig.dir.join('executor'));
  while (readdirSync(rig.dir.join('executor', work, 'jobs')).length > 0) await setTimeout(5);
}
