import { spread } from '../../test/lib/stats.mjs';

/** A figure with as many digits as mean something. */
export function digits(value) {
  if (value === 0 || Number.isInteger(value)) return value.toLocaleString('en');
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en');
  return value
    .toPrecision(Math.abs(value) < 10 ? 2 : 3)
    .replace(/\.?0+$/u, (zeros) => (zeros.includes('.') ? '' : zeros));
}

/** A sample as `median (low–high)`; only the value where there is no spread. */
export function sample(values) {
  if (values === undefined) return '–';
  const { median, spread: ends } = spread(values);
  const [low, high] = ends.map(digits);
  return low === high ? digits(median) : `${digits(median)} (${low}–${high})`;
}

/** A Markdown table whose columns line up as text, too. The first column is aligned left, the others right. */
export function table(head, rows) {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column].length)));
  const line = (row) =>
    `| ${row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at]) : cell.padStart(widths[at]))).join(' | ')} |`;
  const rule = widths.map((width, at) => (at === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  return [line(head), line(rule), ...rows.map(line)].join('\n');
}
