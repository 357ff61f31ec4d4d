import { executorRig } from './executor-rig.ts';

/**
 * Runs as another user: prints how large, in KiB, the file system of a job in a folder below DIR says it is, first with
 * its files in memory where that can be, then with them on disk.
 */
const [parent = ''] = process.argv.slice(2);
for (const memory of [{}, { memoryBytesPerJob: 0 }]) {
  await using rig = await executorRig({ parent, ...memory });
  const { stdout } = await rig.sh('echo x > out; df -k --output=size . | tail -n1');
  console.log(stdout.trim());
}
