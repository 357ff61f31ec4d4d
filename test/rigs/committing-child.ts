import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { manifestSchema } from '../../protocol/job.ts';
import { workspaceRig } from './workspace.ts';

/**
 * `committing-child.js DIR STEP`: commits `<DIR>/manifest.json` to the workspace in DIR, whose store has all content,
 * and kills itself after that many changes on disk. Prints each change; ends with status 0 when there are fewer.
 */
const [dir = '', step = ''] = process.argv.slice(2);
let steps = 0;
await using rig = await workspaceRig(dir, {
  afterStep(name) {
    process.stdout.write(`${name}\n`);
    steps += 1;
    if (steps === Number(step)) process.kill(process.pid, 'SIGKILL');
  },
});
const manifest = manifestSchema.parse(JSON.parse(readFileSync(join(dir, 'manifest.json'), 'utf8')));
const result = await rig.commit(manifest);
if (!result.ok) throw new Error(`Commit failed: ${JSON.stringify(result)}`);
