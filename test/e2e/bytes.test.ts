import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { decodeBytes, fsPath } from '../../runtime/byte-path.ts';
import { skip, suite } from '../harness/suite.ts';
import { TermiteRig, termiteCommand } from '../rigs/termite.ts';
import { needPrograms, sandboxObstacle } from '../rigs/user.ts';

/** No UTF-8, as old projects have it, and worse. */
const latin = Buffer.from('caf\xe9 \xff', 'latin1');
const bytes = (text: string) => Buffer.from(text, 'latin1');

/** Runs a line of shell of any bytes in the project. */
async function shell(rig: TermiteRig, line: Buffer) {
  writeFileSync(`${rig.base}/script`, Buffer.concat([bytes(`T="${termiteCommand.join(' ')}"\n`), line]));
  return rig.run(['sh', `${rig.base}/script`]);
}

function newRig(): TermiteRig {
  const obstacle = sandboxObstacle();
  if (obstacle) skip(obstacle, 'fuse');
  return new TermiteRig();
}

suite('Bytes that are no text', (test) => {
  test('reach commands by arguments of make, environment, recipes and names of makefiles', async () => {
    await using rig = newRig();
    const recipe =
      'all: out \xe9.txt\nout: ; printf %s "$V|$$W|l\xe9" | sed s/a/a/ > $@\n\xe9.txt: ; sed 1q "\xe9.mk" > "$@"\n';
    const write = bytes(`cat > "$(printf '\\351.mk')" <<'END'\n${recipe}END\n`);
    const build = bytes("W='\xfe' $T make -s -f '\xe9.mk' V='caf\xe9 \xff' && cat out && cat '\xe9.txt'\n");
    const { status, stderr } = await shell(rig, Buffer.concat([write, build]));
    assert.is(status, 0, stderr);
    assert.equal(readFileSync(`${rig.project}/out`), bytes('caf\xe9 \xff|\xfe|l\xe9'));
    assert.ok(
      readdirSync(rig.project, { encoding: 'buffer' }).some((name) => name.equals(bytes('\xe9.txt'))),
    );
    const { stdout } = await rig.termite(['log']);
    assert.match(stdout, / remote .*printf %s "caf\\xe9 \\xff\|\$W\|l\\xe9"/);
    assert.match((await rig.termite(['why', 'printf'])).stdout, /caf\\xe9/);
  });

  test('count as what they are', async () => {
    await using rig = newRig();
    writeFileSync(`${rig.project}/Makefile`, 'out: ; @printf %s "$$W" | sed s/a/a/ > $@\n');
    const outputs: Buffer[] = [];
    for (const value of ['\xe8', '\xe9', '\xe8']) {
      await shell(rig, bytes(`rm -f out; W='${value}' $T make -s\n`));
      outputs.push(readFileSync(`${rig.project}/out`));
    }
    assert.equal(outputs, [bytes('\xe8'), bytes('\xe9'), bytes('\xe8')]);
    assert.match((await rig.termite(['log'])).stdout, /^#1 +cache/);
  });

  test('may be in the names of the project, the folder below it and the cache', async () => {
    await using rig = newRig();
    const project = decodeBytes(Buffer.concat([bytes(`${rig.base}/`), latin]));
    mkdirSync(fsPath(`${project}/sub`), { recursive: true });
    writeFileSync(fsPath(`${project}/sub/Makefile`), 'out: ; @pwd | sed s/a/a/ > $@\n');
    const build =
      "cd '../caf\xe9 \xff/sub' && $T make -s && cat out; cd .. && $T make -sC sub --always-make && $T log";
    const { stdout, stderr } = await shell(rig, bytes(`${build}\n`));
    assert.match(stdout, / remote .*pwd/, stderr);
    const out = readFileSync(fsPath(`${project}/sub/out`));
    assert.ok(out.includes(latin), out.toString('latin1'));
    renameSync(fsPath(project), `${rig.base}/plain`);
  });

  test('reach what is run without make, here and elsewhere', async () => {
    await using rig = newRig();
    const { status, stderr } = await shell(
      rig,
      bytes(
        "W='\xfe' $T run sh -c 'printf %s \"$1$W\" | sed s/a/a/ >out' sh '\xe9'; cd / && W='\xfe' $T run sh -c 'printf %s \"$1$W\"' sh '\xe9' >/dev/null\n",
      ),
    );
    assert.is(status, 0, stderr);
    assert.equal(readFileSync(`${rig.project}/out`), bytes('\xe9\xfe'));
    const outside = await shell(
      rig,
      bytes('cd / && $T run sh -c \'printf %s "$1"\' sh \'\xe9\' > "$OLDPWD/here"\n'),
    );
    assert.is(outside.status, 0, outside.stderr);
    assert.equal(readFileSync(`${rig.project}/here`), bytes('\xe9'));
  });

  test('are matched by rules', async () => {
    await using rig = newRig();
    writeFileSync(`${rig.project}/.termite-localrc`, bytes('[{"Regexp": "caf\xe9", "Local": true}]'));
    writeFileSync(`${rig.project}/Makefile`, bytes('all: ; @sed -n 1p Makefile > "caf\xe9"\n'));
    const { report } = await rig.report(['make']);
    assert.equal(report.localByReason, { rule: 1 });
  });

  test('are in compilation databases as they are', async () => {
    await using rig = newRig();
    needPrograms('gcc');
    writeFileSync(fsPath(decodeBytes(bytes(`${rig.project}/caf\xe9.c`))), 'int x;\n');
    writeFileSync(`${rig.project}/Makefile`, bytes('all: ; gcc -DX=\'"\\xe9"\' -c -o x.o "caf\xe9.c"\n'));
    for (const times of [1, 2]) {
      const { status, stderr } = await rig.termite(['make', '--compile-commands']);
      assert.is(status, 0, stderr);
      const database = readFileSync(`${rig.project}/compile_commands.json`);
      assert.ok(database.includes(bytes('/caf\xe9.c"')), `${times}: ${database.toString('latin1')}`);
      assert.ok(database.includes('\\\\xe9'), 'what only looks like it stays');
    }
  });

  test('reach make when there can be no master', async () => {
    await using rig = new TermiteRig();
    writeFileSync(`${rig.project}/Makefile`, 'out: ; @printf %s "$V$$W" > $@; exit 3\n');
    const { status, stderr } = await shell(
      rig,
      bytes("W='\xfe' TERMITE_SOCKET=/nowhere $T make -s V='\xe9'; exit $?\n"),
    );
    assert.is(status, 2, stderr);
    assert.equal(readFileSync(`${rig.project}/out`), bytes('\xe9\xfe'));
  });
});

suite('ninja', (test) => {
  test('gets bytes that are no text, and a jobserver stays a jobserver', async () => {
    await using rig = newRig();
    needPrograms('ninja');
    writeFileSync(
      `${rig.project}/build.ninja`,
      'rule r\n command = printf %s "$$W" | sed s/a/a/ > $out\nbuild out: r\n',
    );
    writeFileSync(`${rig.project}/Makefile`, 'all: ; +$(T) make -f sub.mk X="$(X)"\n');
    writeFileSync(`${rig.project}/sub.mk`, 'all: ; @echo "$(X)" "$(MAKEFLAGS)" | sed s/a/a/ > flags\n');
    const { status, stderr, stdout } = await shell(
      rig,
      bytes("W='\xfe' $T ninja && make -j2 T=\"$T\" X='\xe9'\n"),
    );
    assert.is(status, 0, stderr + stdout);
    assert.equal(readFileSync(`${rig.project}/out`), bytes('\xfe'));
    assert.not.match(stderr, /jobserver unavailable/);
    assert.ok(readFileSync(`${rig.project}/flags`).includes(bytes('\xe9')));
  });
});
