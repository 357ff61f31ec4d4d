import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { repositoryDir } from './builder.ts';

const usage = `Usage: node dist/bench/projects.js [--jobs N] [--rounds N] [--hits FOLDER] DIR [NAME…]

Builds real projects in DIR, all or those named, plainly and by Termite, as project.js does, and tells at the end how they went.
With --hits each is built twice by Termite instead, as hits.js does: the hits of the second, as text and as
FOLDER/NAME.json.

What is missing is fetched as a Debian source package and configured. A project is a file in bench/projects.`;

/** A file in bench/projects; a folder of the same name is laid over the sources. */
const projectSchema = z.strictObject({
  /** Why it is here. */
  about: z.string(),
  /** Debian's source package. */
  package: z.string(),
  /** Debian packages that it is built with, beside compilers and make. */
  needs: z.array(z.string()).default([]),
  /** Run once, by sh. */
  configure: z.string().default('true'),
  /** Run plainly as it is, and by Termite after the word `termite`; `-jN` follows. */
  build: z.array(z.string()),
  /** Run by sh: removes all that a build makes. */
  clean: z.string(),
  /** A source on which something depends. */
  touch: z.string(),
  /** Regular expressions of paths that two plain builds do not make the same either, such as logs with times. */
  mayDiffer: z.array(z.string()).default([]),
});

type Project = z.infer<typeof projectSchema>;

function readProjects(): Map<string, Project> {
  const dir = join(repositoryDir, 'bench', 'projects');
  const files = readdirSync(dir).filter((name) => name.endsWith('.json'));
  return new Map(
    files.map((file) => [
      basename(file, '.json'),
      projectSchema.parse(JSON.parse(readFileSync(join(dir, file), 'utf8'))),
    ]),
  );
}

/** Unpacks and configures it, unless that is done. @returns its folder */
function prepare(dir: string, name: string, project: Project): string {
  const projectDir = join(dir, name);
  const mark = join(dir, `.${name}-is-configured`);
  if (existsSync(mark)) return projectDir;
  const unpackDir = join(dir, '.unpack');
  const missing = project.needs.filter((name) => spawnSync('dpkg', ['-s', name]).status !== 0);
  if (missing.length > 0)
    throw new Error(`install what ${name} is built with: apt-get install ${missing.join(' ')}`);
  run([join(repositoryDir, 'scripts/debian-source.sh'), unpackDir, 'own', project.package], dir);
  const [unpacked] = readdirSync(unpackDir, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  rmSync(projectDir, { recursive: true, force: true });
  renameSync(join(unpackDir, unpacked!.name), projectDir);
  rmSync(unpackDir, { recursive: true });
  const overlay = join(repositoryDir, 'bench', 'projects', name);
  if (existsSync(overlay)) cpSync(overlay, projectDir, { recursive: true });
  run(['sh', '-c', project.configure], projectDir);
  writeFileSync(mark, '');
  return projectDir;
}

function run(argv: readonly string[], cwd: string): void {
  const { status, error } = spawnSync(argv[0]!, argv.slice(1), { cwd, stdio: 'inherit' });
  if (status !== 0) throw new Error(`"${argv.join(' ')}" in "${cwd}" failed: ${error?.message ?? status}`);
}

function main(): number {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      jobs: { type: 'string' },
      rounds: { type: 'string', default: '1' },
      hits: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  const [dir, ...names] = positionals;
  if (values.help || dir === undefined) {
    console.log(usage);
    return values.help ? 0 : 1;
  }
  const projects = readProjects();
  const failed: string[] = [];
  mkdirSync(dir, { recursive: true });
  if (values.hits !== undefined) mkdirSync(values.hits, { recursive: true });
  for (const name of names.length > 0 ? names : projects.keys()) {
    const project = projects.get(name);
    if (!project) throw new Error(`there is no bench/projects/${name}.json`);
    console.log(`\n${name}: ${project.about}`);
    const asked =
      values.hits === undefined
        ? { touch: project.touch, rounds: values.rounds }
        : { json: join(resolve(values.hits), `${name}.json`) };
    const options = {
      build: project.build.join(' '),
      clean: project.clean,
      ...asked,
      ...(values.jobs !== undefined && { jobs: values.jobs }),
    };
    const flags = [
      ...Object.entries(options).flatMap(([flag, value]) => [`--${flag}`, value]),
      ...(values.hits === undefined ? project.mayDiffer : []).flatMap((pattern) => ['--may-differ', pattern]),
    ];
    const script = join(repositoryDir, `dist/bench/${values.hits === undefined ? 'project' : 'hits'}.js`);
    try {
      run([process.execPath, script, ...flags, prepare(resolve(dir), name, project)], resolve(dir));
    } catch (error) {
      console.error(error instanceof Error ? error.message : error);
      failed.push(name);
    }
  }
  console.log(failed.length === 0 ? '\nAll projects are well.' : `\nFailed: ${failed.join(' ')}`);
  return failed.length === 0 ? 0 : 1;
}

try {
  process.exitCode = main();
} catch (error) {
  console.error(`projects: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}
