import { readFileSync } from 'node:fs';
import { getPriority, hostname } from 'node:os';
import { noLimit, type ProcessContext } from '../protocol/process-context.ts';

/** Lines of /proc/PID/limits in the order of the kernel's numbers. Source: proc(5), getrlimit(2). */
const limitNames = [
  ...['cpu time', 'file size', 'data size', 'stack size', 'core file size', 'resident set', 'processes'],
  ...['open files', 'locked memory', 'address space', 'file locks', 'pending signals', 'msgqueue size'],
  ...['nice priority', 'realtime priority', 'realtime timeout'],
];
/**
 * What this process has from whoever started it, less what Node.js has changed.
 *
 * @param signals see `inheritedSignals`
 */
export function ownContext([ignored, blocked]: readonly [string, string] = ['0', '0']): ProcessContext {
  const limits = readFileSync('/proc/self/limits', 'utf8');
  // Node.js raises its own limit of open files.
  const callersFiles = limitOf(read(`/proc/${process.ppid}/limits`) || limits, 'open files');
  const status = read('/proc/self/status');
  const processors = /^Cpus_allowed:\s*([0-9a-f,]+)/m.exec(status)?.[1] ?? '0';
  return {
    limits: limitNames.map((name) => (name === 'open files' ? callersFiles : limitOf(limits, name))),
    ignoredSignals: BigInt(`0x${ignored}`),
    blockedSignals: BigInt(`0x${blocked}`),
    personality: Number.parseInt(read('/proc/self/personality'), 16) || 0,
    niceness: getPriority(),
    processors: wordsOf(BigInt(`0x${processors.replaceAll(',', '')}`)),
    host: hostname(),
    domain: read('/proc/sys/kernel/domainname').trim(),
  };
}

/** Of 64 bits each, the lowest first. */
function wordsOf(bits: bigint): bigint[] {
  return bits === 0n ? [] : [BigInt.asUintN(64, bits), ...wordsOf(bits >> 64n)];
}

function limitOf(limits: string, name: string): [bigint, bigint] {
  const [, soft, hard] = new RegExp(`^Max ${name}\\s+(\\S+)\\s+(\\S+)`, 'm').exec(limits) ?? [];
  return [limitIn(soft), limitIn(hard)];
}

function limitIn(text = 'unlimited'): bigint {
  return /^\d+$/.test(text) ? BigInt(text) : noLimit;
}

/** Empty where there is no such file for us. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
