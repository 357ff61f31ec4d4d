import { readFileSync } from 'node:fs';
import { decodeBytes } from '../runtime/byte-path.ts';

/** Mount point, absolute, → what is mounted there, the first mount first. */
export type MountTable = ReadonlyMap<string, string>;

/** Of this process' namespace; empty where it cannot be told. Source: proc_pid_mountinfo(5). */
export function readMountTable(): MountTable {
  let bytes: Buffer;
  try {
    bytes = readFileSync('/proc/self/mountinfo');
  } catch {
    return new Map();
  }
  return parseMountTable(bytes);
}

export function parseMountTable(mountinfo: Uint8Array): MountTable {
  const mounts = new Map<string, string>();
  for (const line of decodeBytes(Buffer.from(mountinfo)).split('\n')) {
    const [id, , device, root, escaped] = line.split(' ');
    if (escaped === undefined) continue;
    const place = unescapeOctal(escaped);
    mounts.set(place, `${mounts.get(place) ?? ''}${id} ${device} ${root}\n`);
  }
  return mounts;
}

/** Where something was mounted or unmounted between the two. */
export function changedMounts(before: MountTable, after: MountTable): string[] {
  const places = new Set([...before.keys(), ...after.keys()]);
  return [...places].filter((place) => before.get(place) !== after.get(place));
}

/** Space, tab, newline and backslash are written as "\" and three digits. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
