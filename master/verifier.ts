import type { BlobStore } from '../cas/blob-store.ts';
import type { Manifest } from '../protocol/job.ts';
import { describeError } from '../runtime/app-error.ts';
import { compareManifests, type Deviation } from './compare-manifests.ts';
import { describeDeviation } from './describe-deviation.ts';
import type { DeviationArchive } from './deviation-archive.ts';
import type { Inputs } from './inputs.ts';
import type { Hit, ResultCache } from './result-cache.ts';
import type { RunningCommand, Session } from './session.ts';
import type { Basis } from './workspace.ts';

/** What the result of a run is to be compared with: a past result, or that of another run on the same state. */
export type Rival = { kind: 'hit'; hit: Hit } | { kind: 'twin'; manifest: Manifest };

export interface VerifierOptions {
  /** Absent: there are no hits to be checked. */
  results: Pick<ResultCache, 'quarantine'> | undefined;
  inputs: Pick<Inputs, 'former'>;
  archive: Pick<DeviationArchive, 'keep'>;
  /** From 0 to 1, not 1 itself. */
  random: () => number;
}

/** A command that has run to its end, before anything of it is applied. */
export interface Verified {
  rival: Rival;
  line: string;
  session: Session;
  running: RunningCommand;
  manifest: Manifest;
  basis: Basis;
  content: Pick<BlobStore, 'read' | 'getMany'>;
}

/**
 * Compares what a command did with what it did another time, where its build asked for that (`Session.check`), and
 * tells the build's owner. Chosen at random, so that over some builds every hit gets its turn.
 */
export class Verifier {
  readonly #options: VerifierOptions;

  constructor(options: VerifierOptions) {
    this.#options = options;
  }

  /** Whether a hit is to be run again instead of being used. */
  wants({ check }: Session): boolean {
    return check?.kind === 'hits' && this.#options.random() * 100 < check.percent;
  }

  /** Counts, tells and keeps what it finds; a past result that was not reproduced is never used again. @throws as ResultCache */
  async verify(verified: Verified): Promise<void> {
    const { rival, basis, manifest } = verified;
    // Something that it looks at was changed in between: then it may well do something else.
    if (rival.kind === 'hit' && !rival.hit.holdsOn(basis)) return;
    const former = this.#options.inputs.former(basis.root);
    const [was, is] = rival.kind === 'hit' ? [rival.hit.manifest, manifest] : [manifest, rival.manifest];
    const deviations = compareManifests(was, is, (path) => former.node(path));
    if (former.isIncomplete) return;
    if (rival.kind === 'hit') await this.#judgeHit(rival.hit, verified, deviations);
    else await this.#judgeTwin(verified, deviations);
    verified.running.verified(deviations.length === 0);
  }

  async #judgeHit({ key }: Hit, verified: Verified, deviations: readonly Deviation[]): Promise<void> {
    if (deviations.length === 0) return;
    await this.#options.results?.quarantine(key);
    const { sentences, kept } = await this.#keep(key.slice(0, 16), ['cached', 'fresh'], verified, deviations);
    const more = sentences.length > 1 ? `, and ${sentences.length - 1} more` : '';
    verified.session.notice(
      `verify ${key}`,
      `the cached result of "${shown(verified.line)}" was not reproduced and will not be used again: ` +
        `${sentences[0]}${more}\n  ${kept}`,
    );
  }

  async #judgeTwin(verified: Verified, deviations: readonly Deviation[]): Promise<void> {
    const { session, manifest } = verified;
    if (deviations.length === 0) {
      const count = manifest.changes.length;
      const outputs = `${count} output${count === 1 ? '' : 's'}`;
      return session.notice('twin', `deterministic: ${outputs}, what it printed and its end are equal`);
    }
    const { sentences, kept } = await this.#keep('twice', ['first', 'second'], verified, deviations);
    session.notice('twin', ['not deterministic:', ...sentences, kept].join('\n  '));
  }

  /** Without both versions the finding is as good: it has to be told all the same. */
  async #keep(
    name: string,
    labels: readonly [string, string],
    { line, content, running }: Verified,
    deviations: readonly Deviation[],
  ): Promise<{ sentences: string[]; kept: string }> {
    const { archive } = this.#options;
    try {
      const options = { name, labels, line, deviations, content, signal: running.signal };
      const { dir, sentences } = await archive.keep(options);
      return { sentences, kept: `both versions are in ${dir}` };
    } catch (error) {
      const sentences = deviations.map((deviation) => describeDeviation(deviation, undefined));
      return { sentences, kept: `both versions could not be kept: ${describeError(error)}` };
    }
  }
}

function shown(line: string): string {
  return line.trim().split('\n', 1)[0]!.slice(0, 100);
}
