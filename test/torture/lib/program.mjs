import { parseArgs } from 'node:util';
import { endProgress, progressNowAndThen } from '../../lib/progress.mjs';

/** An option that most programs have. */
export const LOCKER = ['koffi', 'how Node.js processes take the kernel lock', ['koffi', 'flock']];

/**
 * The frame of every torture program: options, `--help`, `--json`, progress, verdict and exit code.
 *
 * An option is `[default, help, choices?]`; a number, a list of numbers or a string, as its default is.
 */
export async function program({ name, about, options }, run) {
  const given = parse(name, options);
  if (given.help) return console.log(help(name, about, options));
  const report = new Report(name);
  const start = performance.now();
  try {
    // The calling module is evaluated to its end first.
    await undefined;
    await run(given, report);
  } catch (error) {
    report.check(false, `the program itself failed: ${error.stack}`);
  }
  endProgress();
  const seconds = Number(((performance.now() - start) / 1000).toFixed(1));
  const verdict = { ...report.verdict(), seconds, options: given };
  console.log(given.json ? JSON.stringify(verdict) : inWords(verdict));
  if (!verdict.ok) process.exitCode = 1;
}

/** What a program finds: figures, and violations, of which none is allowed. */
class Report {
  checks = 0;
  figures = {};
  violations = [];

  constructor(name) {
    this.program = name;
  }

  progress(message) {
    progressNowAndThen(`${this.program}: ${message}`);
  }

  figure(name, value) {
    this.figures[name] = value;
  }

  check(holds, violation) {
    this.checks++;
    if (!holds) this.violations.push(violation);
    return holds;
  }

  /** A part of the program cannot run here. */
  skip(reason) {
    this.skipped = reason;
  }

  verdict() {
    if (this.checks > 0) this.skipped = undefined;
    // A run that has looked at nothing has proved nothing.
    else if (this.skipped === undefined) this.check(false, 'nothing was checked');
    return { ...this, ok: this.violations.length === 0 };
  }
}

function parse(name, options) {
  const known = Object.keys(options).map((option) => [option, { type: 'string' }]);
  const switches = ['json', 'help'].map((option) => [option, { type: 'boolean', default: false }]);
  try {
    const { values } = parseArgs({ options: Object.fromEntries([...known, ...switches]) });
    for (const [option, spec] of Object.entries(options)) values[option] = read(option, spec, values[option]);
    return values;
  } catch (error) {
    console.error(`${name}: ${error.message}\nTry --help`);
    return process.exit(2);
  }
}

function read(option, [fallback, , choices], given) {
  if (given === undefined) return fallback;
  if (choices && !choices.includes(given)) throw new Error(`--${option} is one of ${choices.join(', ')}`);
  if (Array.isArray(fallback)) return given.split(',').map((part) => number(option, part));
  return typeof fallback === 'number' ? number(option, given) : given;
}

function number(option, given) {
  const value = Number(given);
  if (given.trim() !== '' && value >= 0) return value;
  throw new Error(`--${option} takes numbers from 0 on, not '${given}'`);
}

function help(name, about, options) {
  const lines = Object.entries(options).map(([option, [fallback, words, choices]]) => {
    const values = choices ? ` (${choices.filter(Boolean).join(', ')})` : '';
    return `  --${option.padEnd(10)} ${words}${values}; default ${fallback === '' ? 'all' : fallback}\n`;
  });
  return `node test/torture/${name}/${name}.mjs [options]\n\n${about}\n\n${lines.join('')}
  --json       the verdict as one line of JSON
  --help       this help\n\nExit code: 0 everything held, 1 something did not, 2 wrong options.`;
}

function inWords({ program: name, ok, skipped, figures, violations, seconds }) {
  const shown = Object.entries(figures).map(([figure, value]) => `  ${figure}: ${plain(value)}`);
  const bad = violations.map((violation) => `  VIOLATION: ${violation}`);
  const verdict = skipped ? `SKIPPED: ${skipped}` : ok ? 'HELD' : `FAILED, ${violations.length} violation(s)`;
  return [`${name}: ${verdict} (${seconds} s)`, ...shown, ...bad].join('\n');
}

const plain = (value) =>
  Object.entries(value)
    .map(([key, inner]) => `${key} ${typeof inner === 'object' ? `(${plain(inner)})` : inner}`)
    .join(', ');
