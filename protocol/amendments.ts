import { z } from 'zod';
import { absolutePathSchema } from './os-values.ts';

/** What changed outside the project since some revision. The schema is of the wire. */
export const amendmentsSchema = z.strictObject({
  /** At which that is complete. */
  revision: z.number().int().nonnegative(),
  /** The directories that are not what they were. */
  amendments: z.array(
    z.strictObject({
      path: absolutePathSchema,
      /** Whose entries changed. */
      names: z.array(z.string()),
      /** Whether names came or went, or became something else. */
      isRelisted: z.boolean(),
      /** The directory as it is now, a shallow Directory; in base64 on the wire. */
      bytes: z.base64().transform((text): Uint8Array => Buffer.from(text, 'base64')),
    }),
  ),
});

export type Amendments = z.output<typeof amendmentsSchema>;
export type Amendment = Amendments['amendments'][number];

/** @returns what `amendmentsSchema` takes */
export function encodeAmendments({ revision, amendments }: Amendments): z.input<typeof amendmentsSchema> {
  return {
    revision,
    amendments: amendments.map(({ bytes, ...rest }) => ({
      ...rest,
      bytes: Buffer.from(bytes).toString('base64'),
    })),
  };
}
