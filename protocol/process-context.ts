import { z } from 'zod';
import type { FrameReader, FrameWriter } from './frame.ts';

/** RLIM_INFINITY: no limit. */
export const noLimit = 2n ** 64n - 1n;

const unsigned = z
  .union([z.bigint(), z.string().regex(/^\d{1,20}$/)])
  .transform((value) => BigInt(value))
  .refine((value) => value >= 0n && value <= noLimit, { error: 'expected 64 bits' });

/** Bytes of a name of utsname. */
const name = z.string().refine((text) => Buffer.byteLength(text) <= 64 && !text.includes('\0'), {
  error: 'expected at most 64 bytes, none of them NUL',
});

/**
 * What a process has from whoever started it besides arguments, environment and files, and can look at. Source: getrlimit(2),
 * sigaction(2), sigprocmask(2), personality(2), getpriority(2), sched_getaffinity(2), uname(2).
 */
export const processContextSchema = z.strictObject({
  /** Soft and hard, by the numbers of Linux: CPU, FSIZE, DATA, STACK, CORE, RSS, NPROC, NOFILE, MEMLOCK, AS, … */
  limits: z.array(z.tuple([unsigned, unsigned])).length(16),
  /** Bit N - 1 for signal N. */
  ignoredSignals: unsigned,
  blockedSignals: unsigned,
  personality: z.number().int().min(0).max(0xffff_ffff),
  niceness: z.number().int().min(-20).max(19),
  /** Bit N of word N / 64: it may run on processor N. Empty: on any. */
  processors: z.array(unsigned).max(16),
  host: name,
  domain: name,
});

export type ProcessContext = z.infer<typeof processContextSchema>;

/** Of a process that nothing is known of. */
export const plainContext: ProcessContext = {
  limits: Array.from({ length: 16 }, () => [noLimit, noLimit]),
  ignoredSignals: 0n,
  blockedSignals: 0n,
  personality: 0,
  niceness: 0,
  processors: [],
  host: '',
  domain: '',
};

/** As native/lib/context.h says. */
export function writeContext(frame: FrameWriter, context: ProcessContext): FrameWriter {
  frame.list(context.limits, ([soft, hard]) => frame.u64(soft).u64(hard));
  frame.u64(context.ignoredSignals).u64(context.blockedSignals).u32(context.personality);
  frame.u32(context.niceness + 20).list(context.processors, (word) => frame.u64(word));
  return frame.text(context.host).text(context.domain);
}

/** @throws RangeError for what no machine has */
export function readContext(frame: FrameReader): ProcessContext {
  const limits = frame.list((): [bigint, bigint] => [frame.u64(), frame.u64()]);
  if (limits.length !== 16) throw new RangeError('Expected 16 resource limits');
  const [ignoredSignals, blockedSignals] = [frame.u64(), frame.u64()];
  const personality = frame.u32();
  const niceness = frame.u32() - 20;
  const processors = frame.list(() => frame.u64());
  const [host, domain] = [frame.text(), frame.text()];
  return { limits, ignoredSignals, blockedSignals, personality, niceness, processors, host, domain };
}
