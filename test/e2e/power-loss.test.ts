import { execFileSync, spawn } from 'node:child_process';
import { closeSync, fsyncSync, mkdirSync, openSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import * as assert from 'uvu/assert';
import { skip, suite } from '../harness/suite.ts';
import { type TempDir, tempDir } from '../harness/temp-dir.ts';
import { TermiteRig, termiteCommand } from '../rigs/termite.ts';

const names = Array.from({ length: 8 }, (_, index) => `f${index}`);
/** Outputs that are moved and copied, and some that make does not know of. */
const makefile = `
all: stamp
all.txt: ${names.map((name) => `${name}.out`).join(' ')}
	cat $^ > $@
%.out: %.in
	tr a-z A-Z < $< > $@.tmp; echo "of $<" > $*.note
	mv $@.tmp $@
stamp: all.txt
	mkdir -p side; wc -c < all.txt > side/size; cat *.note > side/notes
	cp side/size $@
`;
const end = 'built';
/** A machine that comes up with a disk, builds, and shows what it has then when it is told to. Its mounts end with it. */
const script = `
mount -o loop "$1" "$2" && mount --bind "$3" /proc/sys/kernel/random/boot_id && cd "$2/project" && shift 3 || exit 99
find . -type f -empty
"$@" < /dev/null
status=$?
echo ${end}
read -r goOn
find . -type f -exec sha256sum {} + | sort -k 2
exit $status
`;

suite('termite make after a power failure', (test) => {
  test(
    'makes what a build from the same sources makes',
    async () => {
      if (process.getuid?.() !== 0) skip('only root can mount');
      await using dir = await tempDir();
      await using rig = new TermiteRig();
      const machine = new Machine(dir, rig);
      if (!machine.canMount()) skip('no loop device can be mounted');
      const expected = await machine.run('plain', ['make', '-s']);
      const cuts: string[] = [];
      let lineCount = 0;
      const build = [...termiteCommand, 'make', '-j2'];
      await machine.run('built', build, (line, pid) => {
        if (line === end || ++lineCount % 5 === 0) cuts.push(machine.cut('built', pid, cuts.length));
      });
      assert.ok(cuts.length > 3);
      let lostCount = 0;
      for (const cut of cuts) {
        const { lost, files } = await machine.run(cut, build);
        assert.equal(files, expected.files, `${cut}, where these were empty: ${lost}`);
        lostCount += lost.length;
      }
      assert.ok(lostCount > 0, 'nothing was ever lost');
    },
    { deadlineMs: 40_000 },
  );
});

class Machine {
  readonly #dir: TempDir;
  readonly #rig: TermiteRig;

  constructor(dir: TempDir, rig: TermiteRig) {
    this.#dir = dir;
    this.#rig = rig;
    dir.write('files/project/Makefile', makefile);
    mkdirSync(dir.join('files/home'));
    for (const name of names) dir.write(`files/project/${name}.in`, `text of ${name}\n`.repeat(500));
    for (const disk of ['plain', 'built']) {
      execFileSync('mkfs.ext4', ['-q', '-d', dir.join('files'), dir.join(disk), '128M'], { stdio: 'ignore' });
    }
  }

  canMount(): boolean {
    try {
      const mount = 'mount -o loop "$1" "$2"';
      const argv = ['--mount', 'sh', '-c', mount, 'sh', this.#dir.join('plain'), this.#rig.project];
      execFileSync('unshare', argv, { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  }

  /** @returns the files that were empty in the beginning, and all files, with what they hold, in the end */
  async run(
    disk: string,
    argv: readonly string[],
    onLine: (line: string, pid: number) => void = () => {},
  ): Promise<{ lost: string[]; files: string[] }> {
    const { base, env } = this.#rig;
    const boot = this.#dir.write(`boot-${disk}`, `of ${disk}\n`);
    const child = spawn(
      'unshare',
      ['--mount', 'sh', '-c', script, 'sh', this.#dir.join(disk), base, boot, ...argv],
      { env, stdio: 'pipe' },
    );
    const status = new Promise((done) => child.once('close', done));
    let said = '';
    child.stderr.on('data', (chunk) => {
      said += chunk;
    });
    const lines: string[] = [];
    for await (const line of createInterface(child.stdout)) {
      if (!lines.includes(end)) onLine(line, child.pid!);
      lines.push(line);
      if (line === end) child.stdin.end('\n');
    }
    assert.is(await status, 0, `${disk}: ${lines.join('\n')}\n${said}`);
    await this.#rig.waitForEnd(/./);
    const lost = lines.slice(0, lines.indexOf(end)).filter((line) => line.startsWith('./'));
    return { lost, files: lines.slice(lines.indexOf(end) + 1) };
  }

  /** What would be left if the power failed now: names and times, which a sync of anything writes down, but not all content. */
  cut(disk: string, pid: number, index: number): string {
    const unrelated = openSync(join(`/proc/${pid}/root`, this.#rig.base, 'unrelated'), 'w');
    try {
      writeFileSync(unrelated, 'x');
      fsyncSync(unrelated);
    } finally {
      closeSync(unrelated);
    }
    const [from, to] = [this.#dir.join(disk), this.#dir.join(`cut-${index}`)];
    // Of one moment: nothing may have been written meanwhile.
    for (let before = timeOf(from); ; before = timeOf(from)) {
      execFileSync('cp', ['--sparse=always', from, to]);
      if (timeOf(from) === before) return `cut-${index}`;
    }
  }
}

function timeOf(path: string): bigint {
  return statSync(path, { bigint: true }).mtimeNs;
}
