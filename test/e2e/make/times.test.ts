import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { suite } from '../../harness/suite.ts';
import { SideBySide } from '../../rigs/side-by-side.ts';
import { pathWith } from '../../rigs/tools.ts';
import { checkFacts } from './facts.ts';

checkFacts('Times that commands set', {
  'on purpose stay': {
    makefile:
      'all:\n\t@sed s/a/b/ in > old; touch -d @1500000000 old\n\t@touch -r old like; cp -p old copy; cp old new\n' +
      '\t@mkdir -p tree/sub; cp -p old tree/sub; touch -d @1400000000 tree/sub tree; tar cf tree.tar tree; rm -r tree\n' +
      '\t@tar xf tree.tar; expr 1\n',
    files: { in: 'a\n' },
  },
  'to an old one make the target out of date': {
    makefile: 'all: made ; @expr 1\nmade: in ; @sed s/a/b/ in > made; touch -d @1500000000 made\n',
    files: { in: 'a\n' },
    remote: 2,
  },
});

for (const [make, path] of [
  ["the system's make", () => process.env['PATH']],
  ['GNU make 4.4', () => pathWith('make-4.4')],
] as const) {
  suite(`Times of what commands make, ${make}`, (test) => {
    const steps = Array.from({ length: 20 }, (_, i) => `s${i + 1}: s${i} ; @sed s/x/xx/ s${i} > s${i + 1}`);
    const files = { s0: 'x\n', Makefile: `${steps.reverse().join('\n')}\n` };

    test('are in the order of the commands, of this machine, and agree with make', async () => {
      await using builds = await SideBySide.start();
      const env = { PATH: path() };
      const before = BigInt(Date.now()) * 1_000_000n;
      const { dir } = await builds.build('chain', { files, args: ['-j2', 's20'], env });
      const after = BigInt(Date.now() + 1) * 1_000_000n;
      const times = Array.from(
        { length: 21 },
        (_, i) => lstatSync(join(dir, `s${i}`), { bigint: true }).mtimeNs,
      );
      for (const [i, time] of times.entries()) {
        assert.ok(i === 0 || time > times[i - 1]!, `s${i} is not newer than what it is made of`);
        assert.ok(time >= before && time <= after, `s${i} is not of the time of the build`);
      }
      for (const program of [['make'], ['make', '-q']]) {
        const again = await builds.rig.run([...program, 's20'], {
          cwd: dir,
          env: { ...builds.rig.env, ...env },
        });
        assert.is(again.status, 0);
        assert.not.match(again.stdout + again.stderr, /sed|[Cc]lock skew|future/);
      }
    });

    test('stay when a command leaves them alone: what depends on them is not made again', async () => {
      await using builds = await SideBySide.start();
      const env = { ...builds.rig.env, PATH: path() };
      const makefile =
        'all: made\nmade: table.h ; @sed s/t/m/ table.h > made; echo made\n' +
        'table.h: stamp ;\nstamp: in ; @sed "s/#.*//" in > new; cmp -s new table.h || cp new table.h; rm new; echo > stamp\n';
      const { dir } = await builds.build('unchanged', {
        files: { Makefile: makefile, in: 't # one\n' },
        env: { PATH: env.PATH },
      });
      await builds.rig.run(['sh', '-c', 'sleep 0.02; echo "t # two" > in'], { cwd: dir });
      const again = await builds.rig.report(['make'], { cwd: dir, env });
      assert.equal([again.status, again.stdout, again.report.remote], [0, '', 1], again.stderr);
      assert.equal(readdirSync(dir).sort(), ['Makefile', 'in', 'made', 'stamp', 'table.h']);
    });
  });
}
