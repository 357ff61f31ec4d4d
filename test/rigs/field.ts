import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, lutimesSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { z } from 'zod';
import { type Report, reportSchema } from '../../protocol/control.ts';
import { findProgram } from '../../wrapper/find-program.ts';
import { skip, suite } from '../harness/suite.ts';
import { mustRun } from './command.ts';
import { visiblePlace } from './places.ts';
import { TermiteRig, termiteEntry } from './termite.ts';
import { differences, readTree } from './tree.ts';
import { availableUsers, sandboxObstacle, type User } from './user.ts';

/** A number that has to be met exactly, or that there has to be at least one. */
const countSchema = z.union([z.number().int(), z.literal('some')]);

/** What the report of a build has to say of where its commands ran; what is not named may be as it likes. */
const expectationSchema = z.strictObject({
  cached: countSchema.optional(),
  remote: countSchema.optional(),
  local: countSchema.optional(),
  localByReason: z.record(z.string(), countSchema).optional(),
});

type Expectation = z.infer<typeof expectationSchema>;

const stepSchema = z.union([
  z.string(),
  z.strictObject({ run: z.string(), report: expectationSchema.optional() }),
]);

type Step = z.infer<typeof stepSchema>;

/**
 * `case.json`: a situation from the life of builds as steps that are taken first with plain make and then with Termite, at the same
 * path. A step is a line for sh in the project's folder, in which `$MAKE` is make or Termite's with
 * `-j1`, `$W` the folder that the project
 * lies in as `p`, beside a home folder `home`, and `$ID` a word of its own for names in shared places such as /tmp.
 */
const caseSchema = z.strictObject({
  /** What it is about, for people. */
  about: z.string(),
  /** Programs without which the case is skipped. */
  needs: z.array(z.string()).default([]),
  /** A line for sh that fails where something else is missing. */
  needsToRun: z.string().optional(),
  users: z.array(z.enum(['root', 'ordinary'])).default(['root', 'ordinary']),
  /** Added to the environment; `$W` and `$ID` are replaced. */
  env: z.record(z.string(), z.string()).default({}),
  /** Regular expression of paths, relative to `$W`, that two plain builds do not make the same either. */
  ignore: z.string().optional(),
  steps: z.array(stepSchema),
});

type FieldCase = z.infer<typeof caseSchema>;

/** Where a project lies: in a private folder of each sandbox, or where sandboxes show everything. */
type Place = 'temporary' | 'visible';

/** What a step did. */
interface StepOutcome {
  status: number | string;
  stdout: string[];
  stderr: string[];
  tree: Map<string, string>;
  report: Report | undefined;
}

/** The programs of the system: what a person has put before them may be slow, and out of an ordinary user's reach. */
const systemPath = '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin';

const casesDir = resolve(import.meta.dirname, '../../../test/e2e/field');

/** One command at a time unless a step wants more, for Termite would choose another number by itself. */
const plainMake = 'make -j1';

/** FIELD_AGAINST_ITSELF=1 takes the steps with plain make twice: what differs then is the case's own fault. */
const isAgainstItself = process.env['FIELD_AGAINST_ITSELF'] === '1';

/**
 * The suite of all cases as one user. Root's projects lie where sandboxes show everything and the ordinary user's below the folder
 * for temporary files, unless FIELD_EVERYWHERE=1 asks for both.
 */
export function fieldSuite(user: User): void {
  const usual: Place = user === 'root' ? 'visible' : 'temporary';
  const places: Place[] = process.env['FIELD_EVERYWHERE'] === '1' ? ['visible', 'temporary'] : [usual];
  suite(`Cases from the field as ${user} user`, (test) => {
    if (!availableUsers().includes(user)) return test('all', () => skip('only root can be root'));
    for (const name of caseNames()) {
      const fieldCase = caseSchema.parse(JSON.parse(readFileSync(join(casesDir, name, 'case.json'), 'utf8')));
      if (!fieldCase.users.includes(user)) continue;
      for (const place of places) {
        const title = place === usual ? name : `${name}, ${place}`;
        test(title, () => runFieldCase(name, fieldCase, user, place), { deadlineMs: 120_000 });
      }
    }
  });
}

/** All of them, or those whose names contain FIELD_ONLY. */
function caseNames(): string[] {
  const part = process.env['FIELD_ONLY'] ?? '';
  return readdirSync(casesDir).filter((name) => name.includes(part));
}

/** Takes all steps twice and demands that each did the same: status, output as a set of lines, and all files. */
async function runFieldCase(name: string, fieldCase: FieldCase, user: User, place: Place): Promise<void> {
  skipUnlessPossible(fieldCase);
  const below = place === 'visible' ? visiblePlace(user) : undefined;
  if (place === 'visible' && below === undefined) skip('this user can reach no folder that sandboxes show');
  await using rig = new TermiteRig(user, below === undefined ? {} : { below });
  chmodSync(rig.base, 0o755);
  const world = new World(rig, name, fieldCase);
  const plain: StepOutcome[] = [];
  await world.takeSteps(plainMake, (_step, outcome) => plain.push(outcome));
  try {
    const make = isAgainstItself ? plainMake : `${termiteEntry} make -j1`;
    await world.takeSteps(make, (step, outcome, index) => compare(step, plain[index]!, outcome));
  } catch (error) {
    // What later steps would have ended.
    rig.killProcesses();
    throw error;
  } finally {
    await world.stop();
  }
}

function skipUnlessPossible({ needs, needsToRun }: FieldCase): void {
  const obstacle = sandboxObstacle();
  if (obstacle) skip(obstacle, 'fuse');
  for (const program of needs) {
    if (!findProgram([program], systemPath)) skip(`${program} is not installed`, 'tools');
  }
  if (needsToRun === undefined) return;
  const { status } = spawnSync('sh', ['-c', needsToRun], { stdio: 'ignore', env: { PATH: systemPath } });
  if (status !== 0) skip(`this fails: ${needsToRun}`, 'tools');
}

function compare(step: Step, plain: StepOutcome, termite: StepOutcome): void {
  const { run, report: expected } = typeof step === 'string' ? { run: step } : step;
  const said = `after: ${run}\n${termite.stderr.join('\n')}`;
  const differing = differences(plain.tree, termite.tree);
  const heard = ({ status, stdout, stderr }: StepOutcome) => ({
    status,
    stdout,
    stderr: stderr.filter((line) => !line.startsWith('termite: ')),
  });
  assert.equal(heard(termite), heard(plain), said);
  assert.equal(differing, [], said);
  if (isAgainstItself) return;
  if (expected === undefined && termite.report === undefined) return;
  assert.ok(termite.report, `no report was written ${said}`);
  assert.is(termite.report.fallbacks, 0, said);
  if (expected !== undefined) assert.equal(deviations(expected, termite.report), [], said);
}

/** Where a report is not as expected. */
function deviations(expected: Expectation, report: Report): string[] {
  const { localByReason = {}, ...counts } = expected;
  const wanted = [
    ...Object.entries(counts).map(
      ([key, count]) => [key, count, report[key as keyof typeof counts]] as const,
    ),
    ...Object.entries(localByReason).map(
      ([reason, count]) => [reason, count, report.localByReason[reason] ?? 0] as const,
    ),
  ];
  return wanted
    .filter(([, count, actual]) => (count === 'some' ? actual === 0 : actual !== count))
    .map(([key, count, actual]) => `${key}: expected ${count}, got ${actual}: ${JSON.stringify(report)}`);
}

/** The folder in which the steps of a case are taken, made anew for each kind of make. */
class World {
  readonly #rig: TermiteRig;
  readonly #source: string;
  readonly #case: FieldCase;
  readonly #dir: string;

  constructor(rig: TermiteRig, name: string, fieldCase: FieldCase) {
    this.#rig = rig;
    this.#source = join(casesDir, name);
    this.#case = fieldCase;
    this.#dir = join(rig.base, 'w');
  }

  /**
   * Takes the steps in a new project.
   *
   * @param make the words that `$MAKE` stands for
   * @param onOutcome of each step; when it throws, no further one is taken
   */
  async takeSteps(
    make: string,
    onOutcome: (step: Step, outcome: StepOutcome, index: number) => void,
  ): Promise<void> {
    await this.#fill();
    for (const [index, step] of this.#case.steps.entries()) {
      onOutcome(step, await this.#take(typeof step === 'string' ? step : step.run, make, index), index);
    }
  }

  /** Ends the master, if there is one. */
  async stop(): Promise<void> {
    await this.#rig.termite(['stop'], { cwd: join(this.#dir, 'p'), env: this.#environment() });
  }

  async #fill(): Promise<void> {
    const { base } = this.#rig;
    // A case may have closed folders, also for their owner.
    const clear = 'chmod -R u+rwX "$0" 2>/dev/null; exec rm -rf "$0"';
    await mustRun(['sh', '-c', clear, this.#dir], { cwd: base });
    const projectDir = join(this.#dir, 'p');
    mkdirSync(join(this.#dir, 'home'), { recursive: true });
    cpSync(this.#source, projectDir, {
      recursive: true,
      filter: (path) => path !== join(this.#source, 'case.json'),
    });
    this.#rig.give(this.#dir);
    // Deliberate times: those of what no step changes are compared as well.
    const time = new Date('2020-02-02T12:00:00Z');
    for (const entry of ['', ...readdirSync(projectDir, { recursive: true, encoding: 'utf8' })]) {
      lutimesSync(join(projectDir, entry), time, time);
    }
  }

  async #take(line: string, make: string, index: number): Promise<StepOutcome> {
    const { base } = this.#rig;
    const reportFile = join(base, `report-${index}.json`);
    const variables = `MAKE='${make}' W='${this.#dir}' ID='${basename(base)}'`;
    const { status, stdout, stderr } = await this.#rig.run(['sh', '-c', `${variables}\n${line}`], {
      cwd: join(this.#dir, 'p'),
      env: this.#environment(reportFile),
    });
    const ignored = this.#case.ignore === undefined ? undefined : new RegExp(this.#case.ignore);
    const tree = readTree(this.#dir, (path) => /(^|\/)\.git$/.test(path) || ignored?.test(path) === true);
    const report =
      existsSync(reportFile) && make !== plainMake
        ? reportSchema.parse(JSON.parse(readFileSync(reportFile, 'utf8')))
        : undefined;
    // Coarse clocks of file systems: what the next step writes is to be newer, as when a person takes it.
    await sleep(15);
    return { status, stdout: lines(stdout), stderr: lines(stderr), tree, report };
  }

  #environment(reportFile?: string): NodeJS.ProcessEnv {
    const { MAKE: _1, PWD: _2, OLDPWD: _3, TMPDIR: _4, ...inherited } = this.#rig.env;
    const expand = (value: string) =>
      value.replaceAll('$W', this.#dir).replaceAll('$ID', basename(this.#rig.base));
    return {
      ...inherited,
      PATH: systemPath,
      HOME: join(this.#dir, 'home'),
      // One master for all steps, as in life; the last one ends it.
      TERMITE_IDLE_SECONDS: '60',
      ...(reportFile !== undefined && { TERMITE_REPORT: reportFile }),
      ...Object.fromEntries(Object.entries(this.#case.env).map(([name, value]) => [name, expand(value)])),
    };
  }
}

/** Sorted: commands that run at once may end in any order. */
function lines(text: string): string[] {
  return text.split('\n').sort();
}
