/** In the default branch of a switch over a union: a new member does not compile until it is handled. */
export function exhaustive(value: never): never {
  throw new Error(`Internal error: unexpected value ${JSON.stringify(value)}`);
}
