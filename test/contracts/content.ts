/** Bytes that look random, the same for the same seed. */
export function contentOf(size: number, seed: number): Buffer {
  const content = Buffer.allocUnsafe(size);
  let state = (seed + 1) * 0x9e3779b1;
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    content[i] = state >>> 24;
  }
  return content;
}
