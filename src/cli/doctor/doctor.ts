import { openCache } from '../host.js';
import { type Options, UsageError } from '../options.js';
import { harmless, type Paint, painter, type Terminal, wrap } from '../terminal.js';
import { CHECKS } from './checks.js';
import { examine, type Facts } from './examine.js';
import type { Finding } from './finding.js';
import { applyFix, describeFix } from './fix.js';

/** What `doctor --json` prints. */
export interface Report {
  /** Whether there is no fault. */
  ok: boolean;
  file: string;
  checks: (Pick<Finding, 'state' | 'message' | 'details'> & {
    check: string;
    remedy: string | null;
    /** What `--fix` would do about it. */
    fix: string | null;
  })[];
  /** What `--fix` has done. */
  fixed: string[];
}

type Named = Finding & { check: string };

export async function doctor(options: Options, terminal: Terminal, signal: AbortSignal): Promise<number> {
  if (options.yes && !options.fix) throw new UsageError('--yes goes with --fix');
  if (options.json && options.fix && !options.yes)
    throw new UsageError('--json --fix needs --yes: nobody is asked');
  const show = (facts: Facts, found: Named[]) => {
    if (!options.json) terminal.write(render(facts, found, terminal));
  };
  let facts = await examine(options, signal);
  let found = judge(facts);
  show(facts, found);
  const fixed: string[] = [];
  const fixes = found.filter(({ fix }) => fix !== undefined);
  if (options.fix && fixes.length > 0 && (await isAgreed(facts, fixes, options, terminal, signal))) {
    fixed.push(...(await applyAll(fixes, options, terminal, signal)));
    facts = await examine(options, signal);
    found = judge(facts);
    show(facts, found);
  }
  const ok = isWell(found);
  if (options.json) terminal.write(`${JSON.stringify(reportOf(facts, found, fixed), null, 2)}\n`);
  return ok ? 0 : 1;
}

/** Each check of the doctor on what there is to know. */
export const judge = (facts: Facts): Named[] =>
  Object.entries(CHECKS).flatMap(([check, run]) => run(facts).map((finding) => ({ check, ...finding })));

const isWell = (found: readonly Finding[]) => found.every(({ state }) => state !== 'fault');

async function isAgreed(
  { fname }: Facts,
  fixes: readonly Finding[],
  { yes, json }: Options,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<boolean> {
  const steps = fixes.flatMap(({ fix }) => (fix === undefined ? [] : [harmless(describeFix(fix, fname))]));
  const lines = steps.map((step) => `  ${wrap(step, terminal.columns, 4)}\n`);
  if (!json) terminal.write(`\nTo do:\n${lines.join('')}`);
  if (yes) return true;
  if (terminal.ask === undefined) {
    terminal.writeError('Nothing is done, because nobody can be asked here: --yes does it\n');
    return false;
  }
  return /^y(es)?$/iu.test((await terminal.ask('Do it? [y/N] ', signal)).trim());
}

/** One after the other, so that Ctrl-C leaves each of them done or not begun. */
async function applyAll(
  fixes: readonly Finding[],
  options: Options,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<string[]> {
  const db = openCache(options, (message) => terminal.writeError(`${harmless(message)}\n`));
  const done: string[] = [];
  for (const { fix } of fixes) {
    signal.throwIfAborted();
    if (fix === undefined) continue;
    await applyFix(fix, db, signal);
    done.push(describeFix(fix, db.fname));
  }
  return done;
}

const reportOf = ({ fname }: Facts, found: readonly Named[], fixed: string[]): Report => ({
  ok: isWell(found),
  file: fname,
  checks: found.map(({ check, state, message, details = [], remedy = null, fix }) => ({
    check,
    state,
    message,
    details,
    remedy,
    fix: fix === undefined ? null : describeFix(fix, fname),
  })),
  fixed,
});

const WIDTH = Math.max(...Object.keys(CHECKS).map((name) => name.length));
const INDENT = WIDTH + 9;

/** A line for each finding, with its remedy below it. */
export function render(
  { fname }: Pick<Facts, 'fname'>,
  found: readonly Named[],
  terminal: Pick<Terminal, 'columns' | 'colour'>,
): string {
  const paint = painter(terminal);
  const faults = found.filter(({ state }) => state === 'fault');
  const below = (words: string) => `${' '.repeat(INDENT)}${wrap(harmless(words), terminal.columns, INDENT)}`;
  const lines = found.flatMap(({ check, state, message, details = [], remedy }, at) => {
    const name = (found[at - 1]?.check === check ? '' : check).padEnd(WIDTH);
    return [
      `${paint('bold', name)}  ${paintState(state, paint)}${wrap(harmless(message), terminal.columns, INDENT)}`,
      ...details.map((words) => paint('dim', below(words))),
      ...(remedy === undefined ? [] : [paint('yellow', below(`→ ${remedy}`))]),
    ];
  });
  const sum =
    faults.length === 0
      ? `${fname}: no fault found`
      : `${fname}: ${faults.length === 1 ? '1 fault' : `${faults.length} faults`}`;
  const some = faults.some(({ fix }) => fix)
    ? ', "storpool-attachdb doctor --fix" mends what it safely can'
    : '';
  return `${lines.join('\n')}\n\n${wrap(sum + some, terminal.columns)}\n`;
}

const COLOURS = { ok: 'green', fault: 'red', skipped: 'dim' } as const;
const WORDS = { ok: 'ok', fault: 'FAULT', skipped: '-' } as const;

const paintState = (state: Finding['state'], paint: Paint) => paint(COLOURS[state], WORDS[state].padEnd(7));
