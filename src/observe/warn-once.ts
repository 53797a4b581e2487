const told = new Set<string>();

/** Warns of a lasting condition once in the life of this process. */
export function warnOnce(warn: (message: string) => void, key: string, message: string): void {
  if (told.has(key)) return;
  told.add(key);
  warn(message);
}
