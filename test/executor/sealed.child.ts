import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import * as assert from 'uvu/assert';
import { type ExecutorRig, executorRig } from './executor-rig.ts';

/** The source, not what is built. */
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
};

const [parent = '', name = ''] = process.argv.slice(2);
await using rig = await executorRig({ parent });
await trials[name]!(rig);
console.log('sealed');
