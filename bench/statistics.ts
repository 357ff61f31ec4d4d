export interface Summary {
  median: number;
  p95: number;
  n: number;
}

/** Median and 95th percentile (nearest rank) of at least one sample. */
export function summarize(samples: readonly number[]): Summary {
  const sorted = samples.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const median = (sorted[Math.ceil(middle) - 1]! + sorted[Math.floor(middle)]!) / 2;
  return { median, p95: sorted[Math.ceil(sorted.length * 0.95) - 1]!, n: sorted.length };
}
