import { z } from 'zod';
import { encodeBytes } from '../runtime/byte-path.ts';

/*
 * What an operating system takes, as schemas: whatever arrives from elsewhere is checked against them before anything is
 * decided. Strings are those of runtime/byte-path.ts. Sources: limits.h(0p), execve(2), path_resolution(7) of Linux.
 */

const maxNameBytes = 255;
const maxPathBytes = 4095;
/** MAX_ARG_STRLEN less the NUL. */
const maxArgumentBytes = 128 * 1024 - 1;
const maxTimeNs = 2n ** 53n * 1_000_000_000n;
/** What a program looks at may lie deeper than any path reaches, and bear longer names than there are. */
const maxObservedBytes = 64 * 1024;

/** Permission bits, 07777. */
export const modeSchema = z.number().int().min(0).max(0o7777);
export const umaskSchema = z.number().int().min(0).max(0o777);
/** Of a user or group; the highest number means "none". */
export const ownerSchema = z.number().int().min(0).max(0xffff_fffe);
export const exitCodeSchema = z.number().int().min(0).max(255);
export const signalSchema = z.number().int().min(1).max(64);
/** Milliseconds, at most some 31 years; 0: none. */
export const timeoutSchema = z.number().int().min(0).max(1e12);

/**
 * Nanoseconds since 1970, negative before it; a decimal string on the wire. 2^53 seconds are more than any file system keeps, and
 * as many as a program can be asked to set.
 */
export const timeSchema = z
  .union([z.bigint(), z.string().regex(/^-?\d{1,26}$/)])
  .transform((value) => BigInt(value))
  .refine((value) => value >= -maxTimeNs && value <= maxTimeNs, { error: 'expected a time of a file' });

/** Bytes without NUL. */
function byteString(maxBytes: number) {
  return z.string().refine((text) => isShortEnough(text, maxBytes) && !text.includes('\0'), {
    error: `expected at most ${maxBytes} bytes, none of them NUL`,
  });
}

export const argumentSchema = byteString(maxArgumentBytes);
export const linkTargetSchema = byteString(maxPathBytes).min(1);
/** Absolute, without empty, "." or ".." components. */
export const absolutePathSchema = byteString(maxPathBytes).refine(
  (path) => path === '/' || (path.startsWith('/') && path.slice(1).split('/').every(isName)),
  { error: 'expected an absolute path without empty, "." or ".." components' },
);
/** Below the project root: relative, no empty, "." or ".." component. "" is the root itself. */
export const pathInTreeSchema = byteString(maxPathBytes).refine(
  (path) => path === '' || path.split('/').every(isName),
  { error: 'expected a relative path without empty, "." or ".." components' },
);

/** What a program has looked for, absolute or below the project root; it need not be a path that can exist. */
export const observedPathSchema = byteString(maxObservedBytes).refine(
  (path) => path === '' || path === '/' || path.replace(/^\//, '').split('/').every(isComponent),
  { error: 'expected a path without empty, "." or ".." components' },
);

function isName(name: string): boolean {
  return isComponent(name) && isShortEnough(name, maxNameBytes);
}

function isComponent(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..';
}

/** No character of ours takes more than three bytes for each of its UTF-16 units. */
function isShortEnough(text: string, maxBytes: number): boolean {
  return text.length * 3 <= maxBytes || (text.length <= maxBytes && encodeBytes(text).length <= maxBytes);
}
