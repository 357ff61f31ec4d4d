/** Random whole numbers from 0 to below a limit, the same ones for the same seed. */
export function randomOf(seed: number): (limit: number) => number {
  let state = seed >>> 0;
  return (limit) => {
    // Source of the constants: Numerical Recipes, chapter 7.1.
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}
