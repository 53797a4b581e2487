/** A request as the drivers store it, with the number of the change that wrote it. */
export const request = (key, change) => ({
  volume: `a3f0c1d2-0000-4000-8000-${key.padStart(12, '0')}`,
  type: 'volume',
  id: key,
  rights: (change % 2) + 1,
  volsnap: false,
  change,
});

export const seed = (entries) =>
  Object.fromEntries(
    Array.from({ length: entries }, (_, index) => [`seed-${index}`, request(`seed-${index}`, 0)]),
  );

/**
 * Change number n of the endless series: add a key, change another, remove the first again. Being a function
 * of n alone, it tells what the file must hold after any number of changes, whoever made them.
 */
export function change(n, entries) {
  const round = Math.floor(n / 3);
  const added = `new-${round}`;
  const seeded = `seed-${round % entries}`;
  switch (n % 3) {
    case 0:
      return { key: added, value: request(added, n) };
    case 1:
      return { key: seeded, value: request(seeded, n) };
    default:
      return { key: added };
  }
}

/** Makes a change to a plain object. */
export function apply(state, { key, value }) {
  if (value === undefined) delete state[key];
  else state[key] = value;
}

/** What of `found` is not as in `expected`. */
export function differences(expected, found) {
  const keys = new Set([...Object.keys(expected), ...Object.keys(found)]);
  return [...keys].filter((key) => JSON.stringify(expected[key]) !== JSON.stringify(found[key]));
}
