/** Milliseconds of the clock that all processes of the machine share, Python's `time.monotonic()` among them. */
export const now = () => Number(process.hrtime.bigint()) / 1e6;

/** How long something takes, in ms. */
export async function timed(fn) {
  const start = performance.now();
  await fn();
  return performance.now() - start;
}

/** The value below which that part of the values lies, between two of them if need be. */
export function quantile(values, part) {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (sorted.length - 1) * part;
  const [low, high] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
  return low + (high - low) * (at - Math.floor(at));
}

export const median = (values) => quantile(values, 0.5);

/** Quartiles of fewer values than these would say little. */
const ENOUGH = 8;

/** What is told of a sample: its median, and its quartiles, or its extremes if it is small. */
export function spread(values) {
  const [low, high] = values.length < ENOUGH ? [0, 1] : [0.25, 0.75];
  return {
    n: values.length,
    median: median(values),
    spread: [quantile(values, low), quantile(values, high)],
    of: values.length < ENOUGH ? 'extremes' : 'quartiles',
  };
}
