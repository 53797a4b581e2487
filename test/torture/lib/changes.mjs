const KEYS = 10;

/** A request as the drivers store it, with the number of the change that wrote it. */
export const request = (key, change) => ({
  volume: `a3f0c1d2-0000-4000-8000-${key.padStart(12, '0')}`,
  type: 'volume',
  id: key,
  rights: 2,
  volsnap: false,
  change,
});

/** What a file holds in the beginning. */
export const seed = (entries) =>
  Object.fromEntries(
    Array.from({ length: entries }, (_, index) => [`seed-${index}`, request(`seed-${index}`, 0)]),
  );

/** Change number n of an endless series: half of the keys are changed, the others added and removed in turn. */
export function change(name, n) {
  const key = `${name}-${n % KEYS}`;
  return { key, value: n % 4 === 3 ? undefined : request(key, n) };
}

/** What the file holds of a series after change number n, and all before it. */
export function stateAfter(name, n) {
  const last = Array.from({ length: Math.min(n + 1, KEYS) }, (_, back) => change(name, n - back));
  return Object.fromEntries(last.filter(({ value }) => value).map(({ key, value }) => [key, value]));
}
