import { chownSync } from 'node:fs';
import { skip } from '../harness/suite.ts';
import type { TempDir } from '../harness/temp-dir.ts';
import { ordinaryId } from './user.ts';

/**
 * Makes this process, which must not do anything else meanwhile, an ordinary user that owns `dir`, until disposed of:
 * `using _user = asOrdinary(dir)`. A test run that is no root is one already.
 */
export function asOrdinary(dir: TempDir): Disposable {
  if (process.getuid?.() !== 0) return { [Symbol.dispose]: () => {} };
  if (!process.setegid || !process.seteuid) skip('this system has no users');
  chownSync(dir.path, ordinaryId, ordinaryId);
  process.setegid(ordinaryId);
  process.seteuid(ordinaryId);
  return {
    [Symbol.dispose]: () => {
      process.seteuid!(0);
      process.setegid!(0);
    },
  };
}
