import { styleText } from 'node:util';
import type { Options } from './usage.js';

/** Where the output goes, and who answers. */
export interface Terminal {
  /** Characters in a line; `Infinity` where nobody looks at lines. */
  readonly columns: number;
  readonly rows: number;
  readonly colour: boolean;
  /** Ends the command, as Ctrl-C does. */
  readonly signal: AbortSignal;
  write(output: string): void;
  writeError(output: string): void;
  /** `undefined` where nobody can answer. */
  ask?(question: string): Promise<string>;
}

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow';

export const paint = ({ colour }: Pick<Terminal, 'colour'>, style: Style | undefined, words: string) =>
  colour && style !== undefined ? styleText(style, words, { validateStream: false }) : words;

/** What others have put into a file must not control the terminal. */
export const harmless = (words: string) => words.replace(/[\p{Cc}\p{Cf}]/gu, '�');

export const plural = (count: number, what: string) => `${count} ${what}${count === 1 ? '' : 's'}`;

export const MOST = 10;

/** A list that nobody has to scroll through. */
export const listed = (names: readonly string[]) =>
  names.slice(0, MOST).join(', ') + (names.length > MOST ? ` and ${names.length - MOST} more` : '');

/** A word that a shell takes as it is. */
export const shellWord = (word: string) =>
  /^[\w@%+=:,./-]+$/u.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

/** How long ago a time was, as an operator says it: 12 s, 3 min, 7 h, 2 d. */
export function age(time: string | number): string {
  const seconds = Math.max(0, (Date.now() - new Date(time).getTime()) / 1000);
  if (seconds < 100) return `${Math.round(seconds)} s`;
  if (seconds < 6000) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} d`;
}

/** Lines of at most that width; the second and all after it are indented. Words are never broken. */
export function wrap(words: string, width: number, indent = 0): string {
  const lines: string[] = [];
  for (const word of words.split(' ')) {
    const longer = `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && longer.length <= width - indent) lines.splice(-1, 1, longer);
    else lines.push(word);
  }
  return lines.join(`\n${' '.repeat(indent)}`);
}

type Look = Pick<Terminal, 'columns' | 'colour'>;

/** A paragraph. */
export const line = (terminal: Look, words: string, indent = 2, style?: Style) =>
  `${paint(terminal, style, wrap(harmless(words), terminal.columns, indent))}\n`;

/**
 * A table: for each row its lines. Nothing is ever cut.
 *
 * @param givingWay - the columns whose cells go below their row, indented, one after the other until the rest fits
 * @param styleOf - the style of a cell
 */
export function table(
  terminal: Look,
  content: readonly (readonly string[])[],
  givingWay: readonly number[],
  styleOf: (row: number, column: number) => Style | undefined,
): string[] {
  const rows = content.map((row) => row.map(harmless));
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const inLine = new Set(widths.keys());
  const below: number[] = [];
  for (const column of givingWay) {
    if ([...inLine].reduce((sum, at) => sum + (widths[at] ?? 0) + 2, -2) <= terminal.columns) break;
    inLine.delete(column);
    below.unshift(column);
  }
  const last = Math.max(...inLine);
  return rows.map((row, at) => {
    const cell = (column: number) => {
      const words = row[column] ?? '';
      // What ends a line needs no blanks after it.
      const padded = column === last ? words : words.padEnd(widths[column] ?? 0);
      return paint(terminal, styleOf(at, column), padded);
    };
    const rest = below.map((column) => row[column]).filter(Boolean);
    const lines = rest.length === 0 ? [] : wrap(rest.join('  '), terminal.columns - 4).split('\n');
    const style = styleOf(at, below[0] ?? 0);
    return [
      [...inLine].map(cell).join('  ').trimEnd(),
      ...lines.filter((words) => words.trim()).map((words) => `    ${paint(terminal, style, words.trim())}`),
    ].join('\n');
  });
}

/** Asks before something is changed; `--yes` and `--dry-run` answer. */
export async function isAgreed({ yes, 'dry-run': isDry }: Options, terminal: Terminal): Promise<boolean> {
  if (yes || isDry) return !isDry;
  if (terminal.ask !== undefined) return /^y(es)?$/iu.test((await terminal.ask('Do it? [y/N] ')).trim());
  terminal.writeError('Nothing was changed, because nobody can be asked: --yes does it without asking\n');
  return false;
}
