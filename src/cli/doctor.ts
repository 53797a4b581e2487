import { SPConfig } from '../index.js';
import { CHECKS, type Host } from './checks.js';
import type { Finding } from './findings.js';
import { attempt, forOperators, makeApi, openCache, readSettings } from './host.js';
import { asJson, harmless, isAgreed, painter, plural, type Terminal, wrap } from './terminal.js';
import { type Options, UsageError } from './usage.js';

export async function doctor(options: Options, terminal: Terminal): Promise<number> {
  const { json, fix, yes } = options;
  if (yes && !fix) throw new UsageError('--yes needs --fix');
  if (json && fix && !yes) throw new UsageError('--json with --fix needs --yes, because nobody is asked');
  const print = (words: string) => json || terminal.write(words);

  let found = await examine(options, terminal);
  print(render(found, terminal));
  const fixed: string[] = [];
  if (fix && found.fixes.length > 0) {
    const steps = found.fixes.map(({ what }) => `  ${wrap(harmless(what), terminal.columns, 4)}\n`);
    print(`\nTo do:\n${steps.join('')}`);
    if (await isAgreed(options, terminal)) {
      // One after the other, so that Ctrl-C leaves each of them done or not begun.
      for (const { what, apply } of found.fixes) {
        terminal.signal.throwIfAborted();
        await apply();
        fixed.push(what);
      }
      print('Done. The host now:\n\n');
      found = await examine(options, terminal);
      print(render(found, terminal));
    }
  }
  const { ok, file, findings } = found;
  const checks = findings.map((one) => ({ ...one, fix: one.fix?.what ?? null }));
  if (json) terminal.write(asJson({ ok, file, checks, fixed }));
  return ok ? 0 : 1;
}

async function examine(options: Options, terminal: Terminal) {
  const { signal } = terminal;
  const settings = await attempt(() => readSettings(options));
  const config = settings instanceof Error ? new SPConfig({ overrideConfig: {} }) : settings.config;
  const api = await attempt(() => makeApi(options, config));
  const cache = openCache('look', options, terminal, config, api instanceof Error ? undefined : api);
  const clientId = await attempt(() => cache.db.clientId());
  const host: Host = { cache, signal, settings, clientId, api, side: [] };
  const findings: (Finding & { check: string })[] = [];
  for (const [check, run] of Object.entries(CHECKS)) {
    for (const finding of [await run(host)].flat()) {
      findings.push({ check, ...finding, message: forOperators(finding.message) });
    }
    signal.throwIfAborted();
  }
  const fixes = findings.flatMap(({ fix }) => fix ?? []);
  return { file: cache.db.fname, ok: findings.every(({ state }) => state !== 'fault'), findings, fixes };
}

const COLOURS = { ok: 'green', fault: 'red', skipped: 'dim' } as const;
const WORDS = { ok: 'ok', fault: 'FAULT', skipped: '-' } as const;
const WIDTH = Math.max(...Object.keys(CHECKS).map((name) => name.length));
const INDENT = WIDTH + 9;

/** A line for each finding, with its remedy below it. */
function render({ file, findings, fixes }: Awaited<ReturnType<typeof examine>>, terminal: Terminal): string {
  const paint = painter(terminal);
  const fitted = (words: string) => wrap(harmless(words), terminal.columns, INDENT);
  const below = (words: string) => `${' '.repeat(INDENT)}${fitted(words)}`;
  const lines = findings.flatMap(({ check, state, message, details, remedy, command }, at) => {
    const name = (findings[at - 1]?.check === check ? '' : check).padEnd(WIDTH);
    return [
      `${paint('bold', name)}  ${paint(COLOURS[state], WORDS[state].padEnd(7))}${fitted(message)}`,
      ...details.map((words) => paint('dim', below(words))),
      ...(remedy === null ? [] : [paint('yellow', below(`→ ${remedy}`))]),
      // In one line, however long it is: so it can be copied.
      ...(command === null ? [] : [paint('yellow', `${' '.repeat(INDENT)}$ ${harmless(command)}`)]),
    ];
  });
  const faults = findings.filter(({ state }) => state === 'fault').length;
  const sum = faults === 0 ? 'no fault found' : plural(faults, 'fault');
  const fixable = fixes.length === 0 ? '' : '; "storpool-attachdb doctor --fix" mends what it safely can';
  return `${lines.join('\n')}\n\n${wrap(`${file}: ${sum}${fixable}`, terminal.columns)}\n`;
}
