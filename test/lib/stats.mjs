/** Milliseconds of the clock that all processes of the machine share, Python's `time.monotonic()` among them. */
export const now = () => Number(process.hrtime.bigint()) / 1e6;

/** How long something takes, in ms. */
export async function timed(fn) {
  const start = performance.now();
  await fn();
  return performance.now() - start;
}

export const rounded = (ms) => Number(ms.toFixed(ms < 10 ? 2 : 0));

/** The value below which that part of the values lies, between two of them if need be; 0 if there are none. */
export function quantile(values, part) {
  if (values.length === 0) return 0;
  const sorted = values.toSorted((a, b) => a - b);
  const at = (sorted.length - 1) * part;
  const [low, high] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
  return low + (high - low) * (at - Math.floor(at));
}

export const median = (values) => quantile(values, 0.5);

/** What tells of waits: the usual one, and the long ones. */
export const tail = (values) => ({
  median: rounded(median(values)),
  p99: rounded(quantile(values, 0.99)),
  worst: rounded(quantile(values, 1)),
});

/** Quartiles of fewer values than these would say little. */
const ENOUGH = 8;

/** What tells of a sample: its median, and its quartiles, or its extremes if it is small. */
export function spread(values) {
  const [low, high] = values.length < ENOUGH ? [0, 1] : [0.25, 0.75];
  return {
    n: values.length,
    median: median(values),
    spread: [quantile(values, low), quantile(values, high)],
    of: values.length < ENOUGH ? 'extremes' : 'quartiles',
  };
}
