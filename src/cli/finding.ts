/** One thing that a check has found, good or bad: what to do about it, in words, and what to type. */
export interface Finding {
  state: 'ok' | 'fault' | 'skipped';
  message: string;
  details: string[];
  remedy: string | null;
  command: string | null;
  /** What can be done about it without harm. */
  fix: { what: string; apply(): Promise<void> } | null;
}

const make = (state: Finding['state'], message: string, more: Partial<Finding> = {}): Finding => {
  return { state, message, details: [], remedy: null, command: null, fix: null, ...more };
};
export const ok = (message: string, details: string[] = []) => make('ok', message, { details });
export const skipped = (why: string) => make('skipped', `not checked: ${why}`);
export const fault = (message: string, remedy: string | null, command: string | null = null, more = {}) =>
  make('fault', message, { remedy, command, ...more });
