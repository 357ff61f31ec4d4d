import { writeFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import type { Limit } from '../../runtime/limit.ts';
import { ownContext } from '../../wrapper/own-context.ts';
import { suite } from '../harness/suite.ts';
import { executorRig, reached } from './executor-rig.ts';

/** The limits that a command reached, whether it was ended for them or came to its end. */
const python = (script: string) => `/usr/bin/python3 -c '${script}'`;
const ordinary = { uid: 1000, gid: 1000 };
const root = { uid: 0, gid: 0 };

suite('A job in a sandbox', (test) => {
  const lock: Limit = { kind: 'lock' };

  test('is ended when it locks a file that others see', async () => {
    await using rig = await executorRig();
    const lines = [
      python('import fcntl; fcntl.flock(open("hello.txt"), fcntl.LOCK_SH)'),
      python('import fcntl; fcntl.lockf(open("hello.txt", "r+"), fcntl.LOCK_EX)'),
      `perl -e 'open F, "hello.txt"; flock F, 6'`,
      // The folder itself, as lock, and of something that was here before and was written to meanwhile.
      python('import fcntl, os; fcntl.flock(os.open(".", os.O_RDONLY), fcntl.LOCK_EX)'),
      `echo x >> hello.txt; ${python('import fcntl; fcntl.flock(open("hello.txt"), fcntl.LOCK_EX)')}`,
      // What is ignored is noticed all the same.
      `${python('import fcntl; fcntl.flock(open("hello.txt"), fcntl.LOCK_SH)')} || exit 0`,
    ];
    for (const line of lines) assert.equal(await reached(rig, `${line}; sleep 1000`), [lock], line);
    assert.equal(await reached(rig, lines[0]!, root), [lock]);
  });

  test('may lock what nobody else sees', async () => {
    await using rig = await executorRig();
    const lines = [
      `${python('import fcntl; fcntl.flock(open("/tmp/own", "w"), fcntl.LOCK_EX)')}; rm /tmp/own`,
      python('import fcntl; fcntl.flock(open("new", "w"), fcntl.LOCK_EX)'),
      `mkdir d; ${python('import fcntl; fcntl.lockf(open("d/new", "w"), fcntl.LOCK_EX)')}`,
      python('import fcntl, os; fcntl.flock(os.memfd_create("x"), fcntl.LOCK_EX)'),
      python('import fcntl, tempfile; fcntl.flock(tempfile.TemporaryFile(), fcntl.LOCK_EX)'),
    ];
    for (const line of lines) assert.equal(await reached(rig, line), [], line);
  });

  test('is ended when it waits for what others do', async () => {
    await using rig = await executorRig();
    const lines = [
      'until [ -e never ]; do sleep 0.01; done',
      python('import time\nwhile True: time.sleep(0.01)'),
      `perl -e 'select undef, undef, undef, 0.01 until -e "never"'`,
    ];
    for (const line of lines) assert.equal(await reached(rig, line), [lock], line);
    const waitsForItself = python(`
import subprocess, time
child = subprocess.Popen(["sh", "-c", "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done"])
while child.poll() is None: time.sleep(0.01)`);
    assert.equal(await reached(rig, `${waitsForItself}; sleep 0.01; sleep 0.01`), []);
  });

  test('is ended when it needs powers that its user has elsewhere', async () => {
    await using rig = await executorRig();
    const lines: [string, string][] = [
      ['chown 1:1 hello.txt', 'chown'],
      ['chown 1 hello.txt || :', 'chown'],
      ['chgrp 1 hello.txt || :', 'chown'],
      ['mknod null c 1 3 || :', 'mknod'],
      [python('import os; os.setuid(1)'), "another user's id"],
      ['mount -t tmpfs x /mnt || :', 'mount'],
      ['/usr/sbin/chroot . true || :', 'chroot'],
      ['nice -n -5 true', 'a higher priority'],
      ['nice -n 5 nice -n -1 true', 'a higher priority'],
      [python('import os; os.setxattr("hello.txt", "security.capability", b"x")'), 'setxattr'],
    ];
    for (const [line, call] of lines) {
      assert.equal(await reached(rig, `${line}; sleep 3`, root), [{ kind: 'privilege', call }], line);
    }
    for (const user of [root, ordinary]) {
      for (const [line, call] of [
        ['unshare -U true || :', 'namespaces of its own'],
        // clone(CLONE_NEWUSER | SIGCHLD)
        [
          python('import ctypes; ctypes.CDLL(None).syscall(56, 0x10000011, 0, 0, 0, 0)'),
          'namespaces of its own',
        ],
        [python('import ctypes; ctypes.CDLL(None).syscall(250, 1, 0)'), "the kernel's keyrings"],
      ] as const) {
        if (line.includes('syscall') && process.arch !== 'x64') continue;
        assert.equal(await reached(rig, `${line}; sleep 3`, user), [{ kind: 'privilege', call }], line);
      }
    }
    // A group may be one that an ordinary user is in.
    const [limit] = await reached(rig, 'chgrp 1 hello.txt || :; sleep 1000', ordinary);
    assert.equal(limit, { kind: 'privilege', call: 'chown' });
  });

  test('needs no powers for what is its own', async () => {
    await using rig = await executorRig();
    const own = 'chown 0:0 hello.txt; chown -h 0 hello.txt; mknod fifo p; cp -a hello.txt a; nice nice true';
    assert.equal(await reached(rig, `${own}; tar cf - a | tar xf - -C /tmp && rm /tmp/a`, root), []);
    assert.equal(await reached(rig, 'install -m 755 hello.txt b; nice -n 5 nice -n 1 true', ordinary), []);
    // An ordinary user may not give files away, here or elsewhere.
    assert.equal(await reached(rig, 'chown 1 hello.txt 2>/dev/null || :', ordinary), []);
  });

  test('is noticed when it looks for processes and objects of others', async () => {
    await using rig = await executorRig();
    writeFileSync(rig.dir.join('project/server.pid'), `${process.pid}\n`);
    assert.equal(await reached(rig, 'kill -0 $(cat server.pid) 2>/dev/null || echo gone'), [
      { kind: 'hidden', path: `process ${process.pid}` },
    ]);
    const ipc = 'import ctypes; libc = ctypes.CDLL(None); ';
    assert.equal(await reached(rig, python(`${ipc}libc.msgget(1234, 0)`)), [
      { kind: 'hidden', path: 'an object of System V IPC' },
    ]);
    assert.equal(await reached(rig, python(`${ipc}libc.semget(1234, 1, 0o1600)`)), [
      { kind: 'left-outside', path: 'an object of System V IPC' },
    ]);
    const own = 'i = libc.msgget(1234, 0o1600); assert i == libc.msgget(1234, 0); libc.msgctl(i, 0, None)';
    assert.equal(await reached(rig, python(ipc + own)), []);
    assert.equal(await reached(rig, 'sleep 1000 & kill $!; wait $!; kill $! 2>/dev/null; kill -0 $$'), []);
  });

  test('has niceness, processors and blocked signals of its caller', async () => {
    await using rig = await executorRig();
    const context = { ...ownContext(), niceness: 3, processors: [1n], blockedSignals: 0x4000n };
    assert.is((await rig.sh('nice; nproc', { context })).stdout, '3\n1\n');
    // Without a shell: dash unblocks all signals.
    const blocked = await rig.execute(['grep', '-q', 'SigBlk:.*4000$', '/proc/self/status'], { context });
    assert.equal(blocked.ok && blocked.value.status, { kind: 'exit', code: 0 });
  });

  test('is noticed when it asks for what it could not be given of its caller', async () => {
    await using rig = await executorRig();
    const context = ownContext();
    // More than any process can have.
    const limits = context.limits.with(7, [context.limits[7]![0], 2n ** 63n]);
    const limit: Limit = { kind: 'hidden', path: 'a limit of its caller' };
    assert.equal(await reached(rig, 'ulimit -n', { context: { ...context, limits } }), [limit]);
    assert.equal(await reached(rig, 'ulimit -c', { context: { ...context, limits } }), []);
  });

  test('is noticed when it leaves a process running that goes on', async () => {
    await using rig = await executorRig();
    for (const line of ['sleep 1000 &', 'setsid sleep 1000 >/dev/null 2>&1 &', '(sleep 1000 & sleep 1000) &'])
      assert.equal(await reached(rig, line), [{ kind: 'background' }], line);
    const { manifest } = await rig.sh('{ sleep 0.05; echo late > late; } & sleep 1000 & kill $!');
    assert.equal(manifest.reached, []);
    assert.equal(
      manifest.changes.map(({ path }) => path),
      ['late'],
    );
  });
});

suite('A local socket in a sandbox', (test) => {
  const connect = (path: string) =>
    python(`import socket; print(socket.socket(socket.AF_UNIX).connect_ex("${path}"))`);

  test('that nobody listens at is told so, and where it was looked for is known', async () => {
    await using rig = await executorRig();
    const { stdout, manifest } = await rig.sh(
      [connect('/tmp/none/socket'), connect('hello.txt'), `cd /; ${connect('etc/passwd/socket')}`].join('; '),
    );
    // ENOENT, ECONNREFUSED, ENOTDIR
    assert.is(stdout, '2\n111\n20\n');
    assert.ok(manifest.hiddenTrace.some(({ path }) => path === '/tmp/none'));
    assert.ok(manifest.trace.some(({ path }) => path === 'hello.txt'));
  });

  test('serves the job itself', async () => {
    await using rig = await executorRig();
    const script = `
import os, socket
a, b = socket.socketpair(); a.send(b"x"); assert b.recv(1) == b"x"
c, d = socket.socketpair(type=socket.SOCK_DGRAM); c.send(b"y"); assert d.recv(1) == b"y"
s = socket.socket(socket.AF_UNIX); s.bind("/tmp/own"); s.listen()
socket.socket(socket.AF_UNIX).connect("/tmp/own"); os.unlink("/tmp/own")
`;
    const result = await rig.execute(['/usr/bin/python3', '-c', script]);
    assert.ok(result.ok, 'expected a result');
    assert.equal([result.value.status, result.value.reached], [{ kind: 'exit', code: 0 }, []]);
  });
});

suite('The network of a job in a sandbox', (test) => {
  const network: Limit = { kind: 'network' };
  const socket = (script: string) => python(`import socket; s = socket.socket(socket.AF_INET); ${script}`);
  const datagram = (script: string, family = 'AF_INET') =>
    python(`import socket; s = socket.socket(socket.${family}, socket.SOCK_DGRAM); ${script}`);

  test('shows what the job sought beyond itself, also when it succeeded without', async () => {
    await using rig = await executorRig();
    const lines = [
      socket('s.connect_ex(("192.0.2.1", 80))'),
      socket('s.connect_ex(("127.0.0.1", 18431))'),
      socket('s.bind(("192.0.2.1", 0))'),
      datagram('s.sendto(b"x", ("127.0.0.1", 9))'),
      datagram('s.sendto(b"x", ("192.0.2.1", 53))'),
      datagram('s.sendto(b"x", ("2001:db8::1", 53))', 'AF_INET6'),
      datagram('s.sendto(b"x", ("239.1.2.3", 53))'),
      python('import socket; socket.getaddrinfo("example.invalid", 80)'),
      python('import socket; socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)'),
      '/bin/bash -c "exec 3<>/dev/tcp/127.0.0.1/18431"',
    ];
    for (const line of lines) assert.equal(await reached(rig, `${line} 2>/dev/null || :`), [network], line);
    assert.equal(await reached(rig, `${lines[0]} || :`, { network: true }), []);
    const abstract = 'import socket; socket.socket(socket.AF_UNIX).connect_ex("\\0there")';
    assert.equal(await reached(rig, python(abstract)), [{ kind: 'hidden', path: '@there' }]);
  });

  test('serves what the job does within itself', async () => {
    await using rig = await executorRig();
    const script = `
import http.server, socket, threading, time, urllib.request
def serve():
    time.sleep(0.3)
    http.server.HTTPServer(("127.0.0.1", 18432), http.server.SimpleHTTPRequestHandler).serve_forever()
threading.Thread(target=serve, daemon=True).start()
for attempt in range(100):
    try:
        assert urllib.request.urlopen("http://localhost:18432/hello.txt").read() == b"hello\\n"
        break
    except OSError:
        time.sleep(0.05)
else:
    raise SystemExit(1)
a = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); a.bind(("::1", 0))
b = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); b.sendto(b"x", a.getsockname()); assert a.recv(1) == b"x"
s = socket.socket(socket.AF_UNIX); s.bind("\\0own"); s.listen(); socket.socket(socket.AF_UNIX).connect("\\0own")
socket.getaddrinfo("localhost", 80); socket.getaddrinfo("127.0.0.1", 80); socket.if_nameindex()
`;
    const result = await rig.execute(['/usr/bin/python3', '-c', script]);
    assert.ok(result.ok, 'expected a result');
    assert.equal([result.value.status, result.value.reached], [{ kind: 'exit', code: 0 }, []]);
  });

  test('is its own: two jobs may listen on one port', async () => {
    await using rig = await executorRig();
    const listen = socket('s.bind(("127.0.0.1", 18433)); s.listen(); import time; time.sleep(0.5)');
    const both = await Promise.all([rig.sh(listen), rig.sh(listen)]);
    assert.equal(
      both.map(({ status, stderr }) => [status, stderr]),
      [
        [{ kind: 'exit', code: 0 }, ''],
        [{ kind: 'exit', code: 0 }, ''],
      ],
    );
  });
});
