/** Milliseconds of a clock that all processes of a machine share and that nobody sets. */
export const now = () => Number(process.hrtime.bigint() / 1000n) / 1000;

export const rounded = (ms) => Number(ms.toFixed(ms < 10 ? 2 : 0));

/** The value below which that part of the values lies. */
export function quantile(values, part) {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0;
}

export const spread = (values) => ({
  median: rounded(quantile(values, 0.5)),
  p99: rounded(quantile(values, 0.99)),
  worst: rounded(quantile(values, 1)),
});
