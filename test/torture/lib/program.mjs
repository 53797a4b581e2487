import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { endProgress } from '../../lib/progress.mjs';
import { Report } from './report.mjs';

/**
 * The frame of every torture program: options, `--help`, `--json`, progress, verdict and exit code.
 *
 * An option is `{ default, help, choices? }`; a number, a list of numbers or a string, as its default is.
 */
export async function program({ name, about, options }, run) {
  const parsed = parse(name, options);
  if (parsed.help) {
    console.log(help(name, about, options));
    return;
  }
  const report = new Report(name);
  const start = performance.now();
  try {
    await run(parsed, report);
  } catch (error) {
    report.violation(`the program itself failed: ${error.stack}`);
  } finally {
    endProgress();
  }
  const seconds = Number(((performance.now() - start) / 1000).toFixed(1));
  const verdict = {
    ...report.verdict(),
    seconds,
    cpus: cpus().length,
    node: process.version,
    options: parsed,
  };
  console.log(parsed.json ? JSON.stringify(verdict) : words(verdict));
  if (!verdict.ok) process.exitCode = 1;
}

function parse(name, options) {
  const known = Object.fromEntries(Object.keys(options).map((option) => [option, { type: 'string' }]));
  const switches = { json: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } };
  try {
    const { values } = parseArgs({ options: { ...known, ...switches } });
    const given = Object.entries(options).map(([option, spec]) => [
      option,
      read(option, spec, values[option]),
    ]);
    return { ...Object.fromEntries(given), json: values.json, help: values.help };
  } catch (error) {
    console.error(`${name}: ${error.message}\nTry --help`);
    process.exit(2);
  }
}

function read(option, { default: fallback, choices }, text) {
  if (text === undefined) return fallback;
  if (choices && !choices.includes(text)) throw new Error(`--${option} is one of ${choices.join(', ')}`);
  if (Array.isArray(fallback)) return text.split(',').map((part) => number(option, part));
  return typeof fallback === 'number' ? number(option, text) : text;
}

function number(option, text) {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0))
    throw new Error(`--${option} takes numbers from 0 on, not '${text}'`);
  return value;
}

function help(name, about, options) {
  const lines = Object.entries(options).map(([option, { default: fallback, help, choices }]) => {
    const values = choices ? ` (${choices.join(', ')})` : '';
    return `  --${option.padEnd(12)} ${help}${values}; default ${fallback === '' ? 'none' : fallback}`;
  });
  return [
    `node test/torture/${name}/${name}.mjs [options]`,
    '',
    about,
    '',
    ...lines,
    '  --json         the verdict as one line of JSON',
    '  --help         this text',
    '',
    'Exit code: 0 everything held, 1 something did not, 2 wrong options.',
  ].join('\n');
}

function words({ program: name, ok, skipped, figures, violations, seconds, cpus: cores, node }) {
  const shown = Object.entries(figures).map(([figure, value]) => `  ${figure}: ${plain(value)}`);
  const bad = violations.map((violation) => `  VIOLATION: ${violation}`);
  const verdict = skipped ? `SKIPPED: ${skipped}` : ok ? 'HELD' : `FAILED, ${violations.length} violation(s)`;
  return [`${name}: ${verdict} (${seconds} s, ${cores} cores, Node.js ${node})`, ...shown, ...bad].join('\n');
}

function plain(value) {
  if (typeof value !== 'object' || value === null) return String(value);
  const parts = Object.entries(value).map(([key, inner]) => `${key} ${plain(inner)}`);
  return parts.join(', ');
}
