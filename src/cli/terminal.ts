import { styleText } from 'node:util';

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

export const painter =
  ({ colour }: Pick<Terminal, 'colour'>) =>
  (style: Style | undefined, words: string): string =>
    colour && style !== undefined ? styleText(style, words, { validateStream: false }) : words;

/** What others have put into a file must not control the terminal. */
export const harmless = (words: string) => words.replace(/\p{Cc}/gu, '�');

export const asJson = (report: object) => `${JSON.stringify(report, null, 2)}\n`;

export const plural = (count: number, what: string) => `${count} ${what}${count === 1 ? '' : 's'}`;

export const MOST = 10;

/** A list that nobody has to scroll through. */
export const listed = (names: readonly string[]) =>
  names.slice(0, MOST).join(', ') + (names.length > MOST ? ` and ${names.length - MOST} more` : '');

/** A word that a shell takes as it is. */
export const shellWord = (word: string) =>
  /^[\w@%+=:,./-]+$/u.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;

/** A time as an operator says it: 12 s, 3 min, 7 h, 2 d. */
export function duration(milliseconds: number): string {
  const seconds = Math.max(0, milliseconds / 1000);
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

const GAP = '  ';
const BELOW = '    ';

export interface Layout {
  /** Characters. */
  width: number;
  /** The columns whose cells go below their row, indented, one after the other until the rest fits. Nothing is ever cut. */
  givingWay: readonly number[];
  /** Paints a cell. */
  paint(words: string, row: number, column: number): string;
}

/** A table: for each row its lines. The cells of a column are equally wide. */
export function layOut(rows: readonly (readonly string[])[], layout: Layout): string[] {
  const { width, givingWay, paint } = layout;
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries())
      widths[column] = Math.max(widths[column] ?? 0, [...cell].length);
  }
  const inLine = new Set(widths.keys());
  const lineWidth = () => [...inLine].reduce((sum, column) => sum + (widths[column] ?? 0) + 2, -2);
  const below: number[] = [];
  for (const column of givingWay) {
    if (lineWidth() <= width) break;
    inLine.delete(column);
    below.unshift(column);
  }
  const last = Math.max(...inLine);
  return rows.map((row, at) => {
    const cells = [...inLine].map((column) => {
      const cell = row[column] ?? '';
      // What ends a line needs no blanks after it.
      return paint(column === last ? cell : cell.padEnd(widths[column] ?? 0), at, column);
    });
    const rest = below.map((column) => row[column]).filter(Boolean);
    const line = cells.join(GAP).trimEnd();
    if (rest.length === 0) return line;
    const lines = wrap(rest.join(GAP), width, BELOW.length)
      .split('\n')
      .filter((line) => line.trim());
    return [line, ...lines.map((line) => BELOW + paint(line.trim(), at, below[0] ?? 0))].join('\n');
  });
}

/** Asks before something is changed; `--yes` answers. */
export async function isAgreed({ yes }: { yes?: boolean | undefined }, terminal: Terminal): Promise<boolean> {
  if (yes) return true;
  if (terminal.ask !== undefined) return /^y(es)?$/iu.test((await terminal.ask('Do it? [y/N] ')).trim());
  terminal.writeError(
    'Nothing was changed, because nobody can be asked here: --yes does it without asking\n',
  );
  return false;
}
