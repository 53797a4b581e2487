/** What a command comes to: its exit status, and what `--json` prints instead of words. */
export type Outcome = { code: number; report?: object };
