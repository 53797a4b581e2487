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

export type Paint = ReturnType<typeof painter>;

export const painter =
  ({ colour }: Pick<Terminal, 'colour'>) =>
  (style: 'bold' | 'dim' | 'red' | 'green' | 'yellow', words: string): string =>
    colour ? styleText(style, words, { validateStream: false }) : words;

/** What others have put into a file must not control the terminal. */
export const harmless = (words: string) => words.replace(/\p{Cc}/gu, '�');

export const asJson = (report: object) => `${JSON.stringify(report, null, 2)}\n`;

/** Shortened in the middle, because names differ at both ends. */
export function shorten(words: string, width: number): string {
  const characters = [...words];
  if (characters.length <= width) return words;
  const head = Math.ceil((width - 1) / 2);
  const tail = Math.max(0, width - 1 - head);
  return `${characters.slice(0, head).join('')}…${characters.slice(characters.length - tail).join('')}`;
}

/** Lines of at most that width; the second and all after it are indented. */
export function wrap(words: string, width: number, indent = 0): string {
  const lines: string[] = [];
  for (const word of words.split(' ')) {
    const longer = `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && longer.length <= width - indent) lines.splice(-1, 1, longer);
    else lines.push(word);
  }
  return lines.join(`\n${' '.repeat(indent)}`);
}

const GAP = 2;

/**
 * The cells of a table, all of a column equally wide. If they do not fit into the width, columns get narrower.
 *
 * @param least - how narrow the first columns may get; the last of them gives way first
 */
export function layOut(
  rows: readonly (readonly string[])[],
  width: number,
  least: readonly number[],
): string[][] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, [...cell].length);
  }
  let excess = widths.reduce((sum, one) => sum + one + GAP, -GAP) - width;
  for (const [column, narrow] of [...least.entries()].reverse()) {
    const before = widths[column] ?? 0;
    const after = Math.min(before, Math.max(narrow, before - Math.max(excess, 0)));
    widths[column] = after;
    excess -= before - after;
  }
  // What ends a line needs no blanks after it.
  return rows.map((row) =>
    row.map((cell, at) => {
      const fitting = shorten(cell, widths[at] ?? 0);
      return at === row.length - 1 ? fitting : fitting.padEnd(widths[at] ?? 0);
    }),
  );
}
