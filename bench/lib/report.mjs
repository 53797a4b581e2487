import { median, spread } from '../../test/lib/stats.mjs';
import { digits, sample, table } from './table.mjs';

/**
 * What a measurement gives: `{ title, note?, columns, ratio?, rows }`. A row is `{ what, unit, values }`, with a
 * sample for each column, and `ratio` names the two columns of which the first is divided by the second; not in a
 * row with `ratio: false`.
 */
export function asText({ title, note, columns, ratio, rows }) {
  const head = ['', 'unit', ...columns, ...(ratio === undefined ? [] : [ratio.join(' / ')])];
  const lines = rows.map(({ what, unit, values, ratio: wanted = true }) => [
    what,
    unit,
    ...columns.map((column) => sample(values[column])),
    ...(ratio === undefined ? [] : [(wanted && ratioOf(values, ratio)) || '–']),
  ]);
  const notes = note === undefined ? [] : ['', note];
  return [`## ${title}`, '', table(head, lines), ...notes, ''].join('\n');
}

/** The same for programs. */
export const asData = ({ rows, ...rest }) => ({
  ...rest,
  rows: rows.map(({ values, ...row }) => ({
    ...row,
    values: Object.fromEntries(Object.entries(values).map(([column, value]) => [column, spread(value)])),
  })),
});

function ratioOf(values, [dividend, divisor]) {
  if (values[dividend] === undefined || values[divisor] === undefined) return undefined;
  const below = median(values[divisor]);
  return below === 0 ? undefined : `${digits(median(values[dividend]) / below)} x`;
}
