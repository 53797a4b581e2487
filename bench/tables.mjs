import { median, spread } from '../test/lib/stats.mjs';

/** A figure with as many digits as mean something. */
export function digits(value) {
  if (Number.isInteger(value) || Math.abs(value) >= 100) return Math.round(value).toLocaleString('en');
  return String(Number(value.toPrecision(Math.abs(value) < 10 ? 2 : 3)));
}

/** A sample as `median (low–high)`; only the value where there is no spread. */
function sample(values) {
  if (values === undefined) return '–';
  const { median: middle, spread: ends } = spread(values);
  const [low, high] = ends.map(digits);
  return low === high ? digits(middle) : `${digits(middle)} (${low}–${high})`;
}

/** A Markdown table whose columns line up as text, too. The first column is aligned left, the others right. */
function table(head, rows) {
  const widths = head.map((_, column) => Math.max(...[head, ...rows].map((row) => row[column].length)));
  const line = (row) =>
    `| ${row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at]) : cell.padStart(widths[at]))).join(' | ')} |`;
  const rule = widths.map((width, at) => (at === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  return [line(head), line(rule), ...rows.map(line)].join('\n');
}

/** A row is `{ what, values }` with a sample for each column; `ratios` are pairs of columns, dividend and divisor. */
export function asText({ title, note, ratios = [], rows }) {
  const columns = Object.keys(rows[0].values);
  const ratio = (values, pair) => {
    const [dividend, divisor] = pair.map((column) => values[column]);
    return dividend && divisor ? digits(median(dividend) / median(divisor)) : '–';
  };
  const lines = rows.map(({ what, values }) => [
    what,
    ...columns.map((column) => sample(values[column])),
    // Of counts, such as how many succeeded, a ratio says nothing.
    ...ratios.map((pair) => (what.endsWith(', ms') ? ratio(values, pair) : '–')),
  ]);
  const head = ['', ...columns, ...ratios.map((pair) => pair.join(' / '))];
  return [`## ${title}`, '', table(head, lines), '', note, ''].join('\n');
}
