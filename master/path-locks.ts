import type { Change } from '../protocol/job.ts';

/**
 * What a commit does to a path: `shared` if any number may do it at once, i.e. seeing to it that a directory is there. Not so for
 * one whose time is kept: what others bring into place in it meanwhile is to change that time.
 */
type Claims = ReadonlyMap<string, 'shared' | 'exclusive'>;

/** Serialises commits that touch the same paths, first come first served; others may run at once. */
export class PathLocks {
  readonly #held = new Set<{ claims: Claims; released: Promise<void> }>();

  /** Waits for every earlier commit that overlaps; release it by disposing of it. */
  async acquire(changes: readonly Change[]): Promise<Disposable> {
    const claims = claimsOf(changes);
    let release = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const overlapping = [...this.#held].filter((held) => overlaps(claims, held.claims));
    const lock = { claims, released };
    this.#held.add(lock);
    await Promise.all(overlapping.map((held) => held.released));
    return {
      [Symbol.dispose]: () => {
        this.#held.delete(lock);
        release();
      },
    };
  }
}

function claimsOf(changes: readonly Change[]): Claims {
  return new Map(
    changes.map(({ path, base, node }) => {
      const isJoint = node?.type === 'directory' && (base === null || base.type === 'directory');
      return [path, isJoint && node.mtimeNs !== undefined ? 'shared' : 'exclusive'];
    }),
  );
}

function overlaps(a: Claims, b: Claims): boolean {
  return reaches(a, b) || reaches(b, a);
}

/** Whether `a` and `b` claim one path, not both shared, or something in `a` lies below an exclusive claim of `b`. */
function reaches(a: Claims, b: Claims): boolean {
  for (const [path, claim] of a) {
    const other = b.get(path);
    if (other && (claim === 'exclusive' || other === 'exclusive')) return true;
    if (b.get('') === 'exclusive') return true;
    for (let end = path.lastIndexOf('/'); end > 0; end = path.lastIndexOf('/', end - 1)) {
      if (b.get(path.slice(0, end)) === 'exclusive') return true;
    }
  }
  return false;
}
