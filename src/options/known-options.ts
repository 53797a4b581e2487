/**
 * What is wrong with an object of options, if anything: JavaScript callers may misspell a name, and its default would
 * then be used without a word.
 *
 * @param what - what has these options, for example `sync()`
 */
export function problemOfOptions(what: string, given: unknown, known: readonly string[]): string | undefined {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    return `the options of ${what} are an object, for example { ${known[0]} }`;
  }
  if (given instanceof AbortSignal) return `the options of ${what} are a signal: give { signal }`;
  const unknown = Object.keys(given).find((name) => !known.includes(name));
  if (unknown === undefined) return undefined;
  return `${what} has no option "${unknown}": it has ${known.join(', ')}`;
}

/** @throws TypeError that lists the options there are */
export function refuseUnknown(what: string, given: unknown, known: readonly string[]): void {
  const problem = problemOfOptions(what, given, known);
  if (problem !== undefined) throw new TypeError(problem);
}

/** What is wrong with a signal, if anything. It may be missing. */
export function problemOfSignal(signal: unknown): string | undefined {
  if (signal === undefined || isSignal(signal)) return undefined;
  if (signal instanceof AbortController) {
    return 'signal is an AbortController: give its signal, { signal: controller.signal }';
  }
  const shown = typeof signal === 'object' && signal !== null ? 'an object' : JSON.stringify(signal);
  return `signal is ${shown}: give an AbortSignal`;
}

/** @throws TypeError that says what to write */
export function refuseNoSignal(signal: unknown): void {
  const problem = problemOfSignal(signal);
  if (problem !== undefined) throw new TypeError(problem);
}

/** Whether it is a signal, perhaps of another implementation, for example that of jsdom. */
const isSignal = (signal: unknown) =>
  typeof (signal as Partial<AbortSignal> | null)?.throwIfAborted === 'function';
