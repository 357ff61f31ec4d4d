import { z } from 'zod';
import {
  type EnvironmentRule,
  environmentRule,
  environmentRuleSchema,
  noEnvironmentRule,
} from './environment-rule.ts';
import { goRegExp } from './go-regexp.ts';

/** How a command is treated. */
export interface Treatment {
  /** Which past results may answer it, and which of its own are kept; `failures`: also those with another status than 0. */
  cache: 'none' | 'successes' | 'failures';
  /** It gets the network of the machine that runs it. */
  hasNetwork: boolean;
  /** Run where make is when it takes longer elsewhere; 0: it may take as long as it likes. */
  timeoutMs: number;
  /** It finds nothing on its stdin, whatever the caller's is. */
  hasEmptyStdin: boolean;
  env: EnvironmentRule;
  /** When it fails in a sandbox that is what it does, and need not be confirmed beside make. */
  believesFailure: boolean;
  /** How many slots of its executor it takes. */
  slotCount: number;
}

export const usualTreatment: Treatment = {
  cache: 'successes',
  hasNetwork: false,
  timeoutMs: 0,
  hasEmptyStdin: false,
  env: noEnvironmentRule,
  believesFailure: false,
  slotCount: 1,
};

/** One rule of the user's: what to do with command lines that match. */
export interface LocalRule {
  regexp: RegExp;
  /** The regexp as it is written in the file. */
  source: string;
  /** Where it begins in the file. */
  line: number;
  /** Run it where make is; false: on an executor, even when a built-in rule would not; undefined: where it would run anyway. */
  isLocal: boolean | undefined;
  /** What it starts takes part in the build again. */
  isRecursive: boolean;
  treatment: Treatment;
  /** In the user's words. */
  reason: string | undefined;
}

/** What makes no sense for a command that runs where make is. */
const forExecutors = ['Timeout', 'Slots'] as const;

export const ruleEntrySchema = z
  .strictObject({
    Regexp: z.string(),
    Local: z.boolean().optional(),
    Recurse: z.boolean().default(false),
    Cache: z
      .union([z.boolean(), z.literal('failures')], { error: 'expected true, false or "failures"' })
      .optional(),
    Network: z.boolean().default(false),
    Timeout: z.number().positive().max(10_000_000).optional(),
    Stdin: z.enum(['forward', 'empty']).default('forward'),
    Env: environmentRuleSchema.optional(),
    Slots: z.number().int().positive().optional(),
    Reason: z.string().min(1).optional(),
    SkipRefresh: z.boolean().default(false),
    Debug: z.boolean().default(false),
  })
  .superRefine((entry, context) => {
    for (const key of forExecutors) {
      if (entry.Local && entry[key] !== undefined)
        context.addIssue({ code: 'custom', path: [key], message: 'has no effect together with "Local"' });
    }
    if (entry.Network && entry.Cache !== undefined && entry.Cache !== false) {
      const message = 'results of a command with "Network" are never kept';
      context.addIssue({ code: 'custom', path: ['Cache'], message });
    }
  });

/** No rule about commands: what none is shown. */
export const privateEntrySchema = z.strictObject({
  Private: z.array(
    z.string().regex(/^(?:~\/|\/)[^\0]*[^/\0]$/, 'expected an absolute path, or one that begins with "~/"'),
  ),
  Reason: z.string().min(1).optional(),
});

/** @throws SyntaxError as `goRegExp` */
export function localRule(entry: z.infer<typeof ruleEntrySchema>, line: number): LocalRule {
  const { Cache: cache = !entry.Network } = entry;
  return {
    regexp: goRegExp(entry.Regexp),
    source: entry.Regexp,
    line,
    isLocal: entry.Local,
    isRecursive: entry.Recurse,
    treatment: {
      cache: cache === 'failures' ? 'failures' : cache ? 'successes' : 'none',
      hasNetwork: entry.Network,
      timeoutMs: Math.ceil((entry.Timeout ?? 0) * 1000),
      hasEmptyStdin: entry.Stdin === 'empty',
      env: entry.Env ? environmentRule(entry.Env) : noEnvironmentRule,
      believesFailure: entry.Local === false || cache === 'failures' || entry.Network,
      slotCount: entry.Slots ?? 1,
    },
    reason: entry.Reason,
  };
}
