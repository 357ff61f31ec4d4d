import { FormerTree } from '../../master/path-state.ts';
import { Verifier } from '../../master/verifier.ts';
import { someDigest } from './fake-workspace.ts';

/** A verifier for a project that is empty; keeps nothing. */
export function fakeVerifier(): Verifier {
  return new Verifier({
    results: undefined,
    inputs: { former: () => new FormerTree(someDigest, () => new Uint8Array()) },
    archive: { keep: async ({ name }) => ({ dir: name, sentences: ['it differs'] }) },
    random: () => 0,
  });
}
