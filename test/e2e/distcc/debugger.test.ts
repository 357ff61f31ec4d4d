import * as assert from 'uvu/assert';
import { runCommand } from '../../rigs/command.ts';
import type { BuildOutcome } from '../../rigs/side-by-side.ts';
import { type Case, hello, replay } from './replay.ts';

/** Sources and objects in folders of their own; stripped programs are compared as everything else is. */
function debugging(options: string): Case {
  return {
    needs: 'gdb',
    files: {
      'src/testtmp.c': hello['testtmp.c'],
      'src/testhdr.h': hello['testhdr.h'],
      'obj/': '',
      'run/': '',
    },
    lines: [
      `gcc ${options} -o obj/testtmp.o -c src/testtmp.c`,
      `gcc ${options} -o link obj/testtmp.o`,
      './link',
      'strip -o stripped link',
    ],
    stdout: 'hello world\n',
    check: async (outcome) => {
      await debug(outcome, outcome.dir, './link');
      await debug(outcome, `${outcome.dir}/run`, '../link');
    },
  };
}

/** The debugger finds the source by what the compiler wrote down. */
async function debug({ stderr }: BuildOutcome, cwd: string, program: string): Promise<void> {
  const commands = ['break main', 'run', 'next', 'kill'].flatMap((command) => ['-ex', command]);
  const { stdout } = await runCommand(['gdb', '-nx', '--batch', ...commands, program], { cwd });
  assert.match(stdout, /puts\(HELLO_WORLD\)/, stderr);
  assert.match(stdout, /testtmp\.c:[34]/);
}

replay("distcc's tests of debuggers", {
  Gdb: debugging('-g'),
  GdbOpt1: debugging('-g -O1'),
  GdbOpt2: debugging('-g -O2'),
  GdbOpt3: debugging('-g -O3'),
});
