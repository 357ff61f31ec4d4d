import { chownSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { runProgram } from '../../runtime/child-process.ts';
import { skip, suite } from '../harness/suite.ts';
import { tempDir } from '../harness/temp-dir.ts';
import { asUser, availableUsers, ordinaryId, sandboxObstacle } from '../rigs/user.ts';

/** The words in front of a program whose session has a key that only who has that session can see. */
const withSessionKey = [
  ...['/usr/bin/python3', '-c'],
  `
import ctypes, os, sys
add_key, keyctl = {"x86_64": (248, 250), "aarch64": (217, 219)}[os.uname().machine]
JOIN_SESSION_KEYRING, SETPERM, POSSESSOR_ALL, SESSION_KEYRING = 1, 5, 0x3f000000, -3
call = ctypes.CDLL(None).syscall
call(keyctl, JOIN_SESSION_KEYRING, None)
call(keyctl, SETPERM, call(add_key, b"user", b"termite-test-key", b"x", 1, SESSION_KEYRING), POSSESSOR_ALL)
assert "termite-test-key" in open("/proc/keys").read()
os.execv(sys.argv[1], sys.argv[1:])
`,
];

suite('A sandbox is sealed', (test) => {
  for (const user of availableUsers()) {
    const attempt = (name: string) =>
      test(`${name} (${user})`, async () => {
        const obstacle = sandboxObstacle();
        if (obstacle) skip(obstacle, 'fuse');
        await using dir = await tempDir();
        if (user === 'ordinary' && process.getuid?.() === 0) chownSync(dir.path, ordinaryId, ordinaryId);
        const child = join(import.meta.dirname, 'sealed.child.js');
        const [program = '', ...args] = asUser(user, [
          ...withSessionKey,
          ...[process.execPath, child, dir.path, name],
        ]);
        const { stdout, stderr } = await runProgram(program, args);
        assert.is(stdout.toString(), 'sealed\n', stderr.toString());
      });
    attempt('no job reaches another');
    attempt('a descriptor of a layer leads nowhere');
    attempt('no job has processes without number, or the keys of a session');
    attempt('attributes of a command are not marks of overlayfs');
  }
});
