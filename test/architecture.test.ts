import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import * as assert from 'uvu/assert';
import { repositoryRoot } from './fixtures/golden.ts';
import { suite } from './harness/suite.ts';

/** Who may import whom, type-only imports included: folders, or single files of another process. */
const allowed: Record<string, readonly string[]> = {
  runtime: [],
  protocol: ['runtime'],
  cas: ['runtime', 'protocol'],
  coordinator: ['runtime', 'protocol'],
  executor: ['runtime', 'protocol', 'cas', 'coordinator/coordinator-client.ts'],
  master: [
    'runtime',
    'protocol',
    'cas',
    'executor/executor-client.ts',
    'executor/executor.ts',
    'executor/origin.ts',
    'coordinator/coordinator-client.ts',
  ],
  wrapper: ['runtime', 'protocol', 'master/master-client.ts'],
};

/** A process that embeds a part of another wires it in its main.ts; the command line starts all the others'. */
const allowedOfFile: Record<string, readonly string[]> = {
  'master/main.ts': ['executor'],
  'wrapper/main.ts': ['executor', 'master/main.ts', 'coordinator/main.ts'],
};

/** Modules that only one file each may import. */
const gates: Record<string, string> = {
  'node:child_process': 'runtime/child-process.ts',
  'node:http': 'runtime/http-server.ts',
  undici: 'runtime/http-client.ts',
  level: 'cas/database.ts',
  '@napi-rs/blake-hash': 'cas/digest.ts',
};

interface Import {
  file: string;
  line: number;
  /** Relative to the repository for our own files, else the name of the module. */
  target: string;
}

const root = repositoryRoot();
const files = Object.keys(allowed).flatMap((folder) =>
  existsSync(join(root, folder))
    ? readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith('.ts'))
        .map((name) => `${folder}/${name}`)
    : [],
);
const sources = new Map(files.map((file) => [file, readFileSync(join(root, file), 'utf8')]));
const imports = [...sources].flatMap(([file, source]) => importsOf(file, source));

suite('architecture', (test) => {
  test('every import is one that the table allows', () => {
    assert.ok(imports.length > 50, 'found hardly any import');
    const bad = imports.filter((entry) => isOwn(entry.target) && !isAllowed(entry));
    assert.equal(
      bad.map(({ file, line, target }) => `${file}:${line} imports ${target}`),
      [],
    );
  });

  test('modules with a gate are imported there only', () => {
    const bad = imports.filter(({ file, target }) => target in gates && gates[target] !== file);
    assert.equal(
      bad.map(({ file, line, target }) => `${file}:${line} imports ${target}, not ${gates[target]}`),
      [],
    );
  });

  test('no file imports itself by a detour', () => {
    assert.equal(findCycle(imports.filter(({ target }) => isOwn(target))), []);
  });

  test('only main.ts reads process.env and process.argv, or has them read as bytes', () => {
    const reader = 'runtime/process-bytes.ts';
    const users = imports.filter(({ target }) => target === reader).map(({ file }) => file);
    assert.equal(
      users.filter((file) => !file.endsWith('/main.ts') && file !== 'runtime/child-process.ts'),
      [],
    );

    const bad = [...sources].flatMap(([file, source]) =>
      file.endsWith('/main.ts') || file === reader
        ? []
        : codeLines(source).flatMap((line, i) =>
            /\bprocess\.(env|argv)\b/.test(line) ? [`${file}:${i + 1}`] : [],
          ),
    );
    assert.equal(bad, []);
  });

  test('only say.ts writes messages to the terminal', () => {
    const bad = [...sources].filter(
      ([file, source]) => file !== 'runtime/say.ts' && /\bstderr\.write\(|\bconsole\./.test(source),
    );
    assert.equal(
      bad.map(([file]) => file),
      [],
    );
  });

  test('the checks find what they are for', () => {
    const source = [
      "import { a } from '../executor/slots.ts';",
      'import {',
      '  type B,',
      "} from '../cas/digest.ts';",
      "export { c } from './c.ts';",
      "const d = await import('../master/main.ts');",
      "// import { e } from '../master/e.ts';",
      "import 'level';",
    ].join('\n');
    const found = importsOf('cas/x.ts', source);
    assert.equal(
      found.map(({ line, target }) => [line, target]),
      [
        [1, 'executor/slots.ts'],
        [4, 'cas/digest.ts'],
        [5, 'cas/c.ts'],
        [6, 'master/main.ts'],
        [8, 'level'],
      ],
    );
    assert.equal(found.map(isAllowed), [false, true, true, false, false]);
    const edge = (file: string, target: string) => ({ file, line: 1, target });
    assert.equal(findCycle([edge('a', 'b'), edge('b', 'c'), edge('c', 'b')]), ['b', 'c', 'b']);
    assert.equal(findCycle([edge('a', 'b'), edge('a', 'c'), edge('b', 'c')]), []);
  });
});

function importsOf(file: string, source: string): Import[] {
  return codeLines(source).flatMap((line, i) => {
    const [, specifier] =
      /^(?:import|export|\})[^'"]* from '([^']+)'|^import '([^']+)'|\bimport\('([^']+)'\)/
        .exec(line)
        ?.filter((part) => part !== undefined) ?? [];
    if (specifier === undefined) return [];
    const target = specifier.startsWith('.') ? normalize(join(dirname(file), specifier)) : specifier;
    return [{ file, line: i + 1, target }];
  });
}

/** Without comments that fill their line; the numbers stay. */
function codeLines(source: string): string[] {
  return source.split('\n').map((line) => (/^\s*(\/\/|\/?\*)/.test(line) ? '' : line));
}

function isOwn(target: string): boolean {
  return target.endsWith('.ts');
}

function isAllowed({ file, target }: Import): boolean {
  const folder = file.split('/')[0]!;
  const targets = [folder, ...(allowed[folder] ?? []), ...(allowedOfFile[file] ?? [])];
  return targets.some((permitted) => target === permitted || target.startsWith(`${permitted}/`));
}

/** A way from a file back to itself; empty when there is none. */
function findCycle(edges: readonly Import[]): string[] {
  const next = new Map<string, string[]>();
  for (const { file, target } of edges) next.set(file, [...(next.get(file) ?? []), target]);
  const finished = new Set<string>();
  const path: string[] = [];
  const visit = (file: string): string[] => {
    const at = path.indexOf(file);
    if (at >= 0) return [...path.slice(at), file];
    if (finished.has(file)) return [];
    path.push(file);
    for (const target of next.get(file) ?? []) {
      const cycle = visit(target);
      if (cycle.length > 0) return cycle;
    }
    path.pop();
    finished.add(file);
    return [];
  };
  for (const file of next.keys()) {
    const cycle = visit(file);
    if (cycle.length > 0) return cycle;
  }
  return [];
}
