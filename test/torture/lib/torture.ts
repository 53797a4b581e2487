import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';

/** What a torture program finds, as far as tests look at it. */
export interface Verdict {
  ok: boolean;
  skipped?: string;
  checks: number;
  figures: Record<string, unknown>;
  violations: string[];
}

/** How the kernel lock is taken. */
export const LOCKERS = ['koffi', 'flock'];

/** Long enough for the slowest machine; the programs have bounds of their own. */
export const TIMEOUT = 120_000;

/** Runs one of the torture programs in a short form, and expects that everything held. */
export async function torture(name: string, options: Record<string, string | number>): Promise<Verdict> {
  const program = fileURLToPath(new URL(`../${name}/${name}.mjs`, import.meta.url));
  const args = Object.entries(options).map(([option, value]) => `--${option}=${value}`);
  const output = await new Promise<string>((resolve) => {
    execFile(process.execPath, [program, '--json', ...args], (error, stdout, stderr) => {
      resolve(stdout || stderr || String(error));
    });
  });
  expect(output).toMatch(/^\{"program":/u);
  const verdict: Verdict = JSON.parse(output);
  expect(verdict.violations).toEqual([]);
  expect(verdict.ok).toBe(true);
  return verdict;
}
