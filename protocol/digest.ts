import { z } from 'zod';

/** The address of a blob: BLAKE3-256 of its bytes in lower-case hex, and their number. Source: REAPI v2, `Digest`. */
export const digestSchema = z.strictObject({
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  sizeBytes: z.number().int().nonnegative(),
});

export type Digest = Readonly<z.infer<typeof digestSchema>>;
