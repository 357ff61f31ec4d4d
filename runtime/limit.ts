import { z } from 'zod';
import { exhaustive } from './exhaustive.ts';

const path = z.string().max(64 * 1024);

/**
 * What a sandbox cannot show, keep or allow, and a command reached for although it would have had it beside make: the
 * closed list. Paths are absolute, or relative to the project root. Such a command is run beside make instead, also
 * when it succeeded.
 */
export const limitSchema = z.discriminatedUnion('kind', [
  /** It left something outside the project, where nothing is brought back from. */
  z.strictObject({ kind: z.literal('left-outside'), path }),
  /** It looked at something that exists here, but is not shown, or not as it is. */
  z.strictObject({ kind: z.literal('hidden'), path }),
  /** It was refused a write outside the project. */
  z.strictObject({ kind: z.literal('refused-write'), path }),
  /** It was refused a file that is for its owner alone. */
  z.strictObject({ kind: z.literal('private-file'), path }),
  /** It tried to reach something over the network. */
  z.strictObject({ kind: z.literal('network') }),
  /** It locked a file, or waits for one that another command makes. */
  z.strictObject({ kind: z.literal('lock') }),
  /** Something that it started was still running when it had ended. */
  z.strictObject({ kind: z.literal('background') }),
  /** It was refused a system call that needs powers which the caller has. */
  z.strictObject({ kind: z.literal('privilege'), call: z.string().max(100) }),
  /** It made something that cannot be brought back: a socket, a device, extended attributes, a file of somebody else's. */
  z.strictObject({ kind: z.literal('unsupported-output'), path }),
  /** It wrote to a file with several names, or gave it or took from it one: the others may have to show that. */
  z.strictObject({ kind: z.literal('linked'), path }),
  /** It changed a file of somebody else's, or may have shown whose it is: in a sandbox all are the caller's. */
  z.strictObject({ kind: z.literal('owner'), path }),
  /** It failed, and nobody can tell that it would have failed here. */
  z.strictObject({ kind: z.literal('failed') }),
]);

export type Limit = z.infer<typeof limitSchema>;

/** What comes after "it": one clause for people. */
export function describeLimit(limit: Limit): string {
  switch (limit.kind) {
    case 'left-outside':
      return `left "${limit.path}", outside the project`;
    case 'hidden':
      return `looked at "${limit.path === '' ? '.' : limit.path}", which the sandbox does not show`;
    case 'refused-write':
      return `was refused a write to "${limit.path}", outside the project`;
    case 'private-file':
      return `was refused "${limit.path}", which is private`;
    case 'network':
      return 'used the network';
    case 'lock':
      return 'locks files, or waits for those of other commands';
    case 'background':
      return 'left a process running';
    case 'privilege':
      return `was refused ${limit.call}`;
    case 'unsupported-output':
      return `made "${limit.path}", which cannot be brought back as it is`;
    case 'linked':
      return `changed "${limit.path}", a file with several names`;
    case 'owner':
      return `changed or showed "${limit.path === '' ? '.' : limit.path}", which is somebody else's`;
    case 'failed':
      return 'failed';
    default:
      return exhaustive(limit);
  }
}
