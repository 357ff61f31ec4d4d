import { digestOf } from '../cas/digest.ts';
import type { Job, Observation } from '../protocol/job.ts';
import { encodeBytes } from '../runtime/byte-path.ts';
import type { TimeUse } from './time-use.ts';

/**
 * What is asked of the cache: a job without what differs between two runs of one command. Its `env` is only what counts,
 * see `countedEnvironment`.
 */
export interface Question
  extends Omit<Job, 'id' | 'origin' | 'root' | 'systemTraceKnown' | 'forwardStdin' | 'slots' | 'shown'> {
  timeUse: TimeUse;
}

/** Counts up whenever the meaning of a fingerprint, or of what jobs are shown, changes: then all that was stored is void. */
const version = 3;

/** What a result depends on besides files: hash in hex. All that is to be said of a command before looking at anything. */
export function weakFingerprint(question: Question): string {
  const { argv, cwd, env, umask, uid, gid, home, projectRoot, network, timeoutMs, timeUse, context } =
    question;
  return hashOf([
    ...['weak', version, process.arch, cwd, umask, uid, gid, home, projectRoot, network, timeoutMs, timeUse],
    ...[context.limits.join(), context.ignoredSignals, context.blockedSignals, context.personality],
    ...[context.niceness, context.processors.join(), context.host, context.domain],
    ...[argv.length, ...argv, ...env],
  ]);
}

/** Names a path set: hash in hex. */
export function pathSetFingerprint(observations: readonly Observation[]): string {
  return hashOf(['set', ...observations.flatMap(({ path, flags }) => [path, flags])]);
}

/**
 * Names a result: hash in hex.
 *
 * @param states `statesFingerprint` of the paths of the set, in its order
 * @param generation see `SystemGenerations`
 */
export function strongFingerprint(from: {
  weak: string;
  pathSet: string;
  states: string;
  generation: string;
  stdin: StdinUse;
  streams: Streams;
}): string {
  return hashOf(['strong', from.weak, from.pathSet, from.generation, from.stdin, from.streams, from.states]);
}

/** Of states: hashed once for all results that they may name. */
export function statesFingerprint(states: readonly string[]): string {
  return hashOf(['states', ...states]);
}

/** What a result owes to stdin: nothing, so that it holds for any, or that there was nothing to be read. */
export type StdinUse = 'unread' | 'empty';

/**
 * Whether stdout and stderr were two files when it ran, or one, which then holds all that it printed. What printed nothing
 * counts as `apart`: where each stream has its own bytes, it serves both unless there are some in both, whose order is not known.
 */
export type Streams = 'apart' | 'together';

/** No two lists give the same text: what may hold NUL is nowhere among them. */
function hashOf(parts: readonly (string | number | bigint | boolean)[]): string {
  return digestOf(encodeBytes(parts.join('\0'))).hash;
}
