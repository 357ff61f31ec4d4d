import * as assert from 'uvu/assert';
import { jobArguments, jobEnvironment, plainEnvironmentEdits } from '../../master/job-environment.ts';
import { suite } from '../harness/suite.ts';

const shell = '/opt/ter mite/sh';
const shells = { own: shell, real: '/bin/dash' };
const cases: [name: string, entry: string, result: string | undefined][] = [
  ["keeps what is not make's", 'PATH=/bin', 'PATH=/bin'],
  ['drops the terminal', 'MAKE_TERMOUT=/dev/pts/1', undefined],
  ['drops our session', 'TERMITE_SESSION=x', undefined],
  ['drops our socket', 'TERMITE_SOCKET=/x', undefined],
  ['drops the real shell', 'TERMITE_SHELL=/bin/bash', undefined],
  [
    'gives other variables that name our shell the real one',
    `CONFIG_SHELL=${shell}`,
    'CONFIG_SHELL=/bin/dash',
  ],
  ['keeps a variable without value', 'X=', 'X='],
  ['drops SHELL when it is ours', `SHELL=${shell}`, undefined],
  ['keeps another SHELL', 'SHELL=/bin/zsh', 'SHELL=/bin/zsh'],
  ['drops the jobserver of make 4.3', 'MAKEFLAGS= -j4 --jobserver-auth=3,4', 'MAKEFLAGS='],
  ['drops the FIFO of make 4.4', 'MAKEFLAGS=k -j4 --jobserver-auth=fifo:/tmp/GMfifo1', 'MAKEFLAGS=k'],
  ['drops our shell', 'MAKEFLAGS= -j4 --jobserver-auth=3,4 -- SHELL=/opt/ter\\ mite/sh', 'MAKEFLAGS='],
  [
    'keeps other variables',
    'MAKEFLAGS=ks -j --jobserver-auth=3,4 -- FOO=a\\ b SHELL=/opt/ter\\ mite/sh BAR=c',
    'MAKEFLAGS=ks -- FOO=a\\ b BAR=c',
  ],
  ['drops what makes make start shells', 'MAKEFLAGS= -j4 -- FOO=1 IFS=,', 'MAKEFLAGS= -- FOO=1'],
  ['keeps a variable that looks like an option', 'MAKEFLAGS= -j4 -- X=-j4', 'MAKEFLAGS= -- X=-j4'],
  ['keeps other options', 'MAKEFLAGS= -l3 -Otarget --sync-mutex=fnm:/tmp/x', 'MAKEFLAGS= -l3 -Otarget'],
  ['does the same to MFLAGS', 'MFLAGS=-k -j4 --jobserver-auth=3,4', 'MFLAGS=-k'],
];

suite('jobEnvironment()', (test) => {
  test('gives $SHELL back to whom make has it from', () => {
    const env = [`SHELL=${shell}`, 'TERMITE_CALLERS_SHELL=/bin/zsh'];
    assert.equal(jobEnvironment(env, shells), ['SHELL=/bin/zsh']);
    assert.equal(jobEnvironment([`SHELL=${shell}`, 'TERMITE_CALLERS_SHELL='], shells), []);
  });

  for (const [name, entry, result] of cases) {
    test(name, () =>
      assert.equal(jobEnvironment(['A=1', entry, 'B=2'], shells), [
        'A=1',
        ...(result === undefined ? [] : [result]),
        'B=2',
      ]),
    );
  }
});

suite('plainEnvironmentEdits()', (test) => {
  const mine = 'TERMITE_CALLERS_SHELL=/bin/zsh';
  const changed: [env: string[], edits: string[]][] = [
    [['PATH=/bin', 'TERMITE_SESSION=x', `TERMITE_SHELL=${shell}`], []],
    [
      ['MAKEFLAGS=k -j4 --jobserver-auth=3,4 -- A=1 SHELL=/opt/ter\\ mite/sh'],
      ['MAKEFLAGS=k -j4 --jobserver-auth=3,4 -- A=1'],
    ],
    [
      ['MAKEFLAGS= -j4 --jobserver-auth=fifo:/tmp/x -- IFS=,'],
      ['MAKEFLAGS= -j4 --jobserver-auth=fifo:/tmp/x'],
    ],
    [['GNUMAKEFLAGS=IFS=,'], ['GNUMAKEFLAGS=']],
    [['MAKEFLAGS=k -j4'], []],
    [[`SHELL=${shell}`, mine], ['SHELL=/bin/zsh']],
    [[`SHELL=${shell}`], ['SHELL']],
    [['SHELL=/bin/csh', mine], []],
    [[`CONFIG_SHELL=${shell}`], ['CONFIG_SHELL=/bin/dash']],
  ];
  for (const [env, edits] of changed) {
    test(`makes ${JSON.stringify(edits)} of ${JSON.stringify(env)}`, () =>
      assert.equal(plainEnvironmentEdits(env, shells), edits));
  }
});

suite('jobArguments()', (test) => {
  const words: [word: string, result: string][] = [
    ['gcc -c x.c', 'gcc -c x.c'],
    [`${shell} ./config.status x`, '/bin/dash ./config.status x'],
    [`cd x && ${shell} -c "${shell}"; S=${shell}`, 'cd x && /bin/dash -c "/bin/dash"; S=/bin/dash'],
    [`#!${shell}\n`, '#!/bin/dash\n'],
    [
      `cat ${shell}ared ${shell}.c ${shell}/x /x${shell}`,
      `cat ${shell}ared ${shell}.c ${shell}/x /x${shell}`,
    ],
  ];
  for (const [word, result] of words) {
    test(`makes ${JSON.stringify(result)}`, () => assert.equal(jobArguments([word], shells), [result]));
  }
});
