import type { Facts } from './examine.js';
import type { SideFile } from './files.js';

/** Something that `doctor --fix` can do without harm. */
export type Fix =
  /** Reads the cache, which restores it or its copy. */
  | { kind: 'read' }
  /** Takes the lock and gives it back, which removes what a dead holder left. */
  | { kind: 'lock' }
  | { kind: 'remove'; files: SideFile[] }
  | { kind: 'drop'; requests: string[] };

/** One thing that a check has found, good or bad. */
export interface Finding {
  state: 'ok' | 'fault' | 'skipped';
  message: string;
  remedy?: string;
  details?: string[];
  fix?: Fix;
}

export type Check = (facts: Facts) => Finding[];

export const ok = (message: string, details: string[] = []): Finding => ({ state: 'ok', message, details });
export const fault = (message: string, remedy: string, fix?: Fix): Finding => ({
  state: 'fault',
  message,
  remedy,
  ...(fix && { fix }),
});
export const skipped = (why: string): Finding[] => [{ state: 'skipped', message: `not checked: ${why}` }];
/** Good if there is no fault. */
export const unless = (faults: Finding[], good: () => Finding): Finding[] =>
  faults.length > 0 ? faults : [good()];

export const plural = (count: number, what: string) => `${count} ${what}${count === 1 ? '' : 's'}`;

const MOST = 10;

/** A list that nobody has to scroll through. */
export const listed = (names: readonly string[]) =>
  names.length <= MOST
    ? names.join(', ')
    : `${names.slice(0, MOST).join(', ')} and ${names.length - MOST} more`;
