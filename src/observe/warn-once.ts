const warned = new Set<string>();

/** Warns of a lasting condition once per process. */
export function warnOnce(warn: (message: string) => void, key: string, message: string): void {
  if (warned.has(key)) return;
  warned.add(key);
  warn(message);
}
