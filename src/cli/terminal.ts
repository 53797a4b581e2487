/** Where the output goes, and who answers. */
export interface Terminal {
  /** Characters in a line; `Infinity` where nobody looks at lines. */
  readonly columns: number;
  readonly rows: number;
  readonly colour: boolean;
  write(output: string): void;
  writeError(output: string): void;
  /** `undefined` where nobody can answer. */
  ask?(question: string, signal: AbortSignal): Promise<string>;
}

const CODES = { bold: [1, 22], dim: [2, 22], red: [31, 39], green: [32, 39], yellow: [33, 39] } as const;

export type Style = keyof typeof CODES;
export type Paint = (style: Style, words: string) => string;

export const painter =
  ({ colour }: Pick<Terminal, 'colour'>): Paint =>
  (style, words) =>
    colour ? `\x1b[${CODES[style][0]}m${words}\x1b[${CODES[style][1]}m` : words;

/** What others have put into a file must not speak to the terminal. */
export const harmless = (words: string) => words.replace(/\p{Cc}/gu, '�');

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
  let line = '';
  for (const word of words.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width - indent) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  lines.push(line);
  return lines.join(`\n${' '.repeat(indent)}`);
}

/** How a column gives way when the terminal is too narrow: the ones with the lowest `order` first. */
export interface Column {
  heading: string;
  /** It never gets narrower than this. Default: it does not shrink. */
  least?: number;
  order?: number;
}

const GAP = 2;

/** The cells of a table, heading first, all of a column equally wide; together they fit into the width if they can. */
export function layOut(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  width: number,
): string[][] {
  const all = [columns.map(({ heading }) => heading), ...rows];
  const widths = columns.map((_, at) =>
    all.reduce((most, row) => Math.max(most, [...(row[at] ?? '')].length), 0),
  );
  let excess = widths.reduce((sum, one) => sum + one + GAP, -GAP) - width;
  const shrinkable = columns
    .map(({ least, order = 0 }, at) => ({ least, order, at }))
    .filter((one) => one.least !== undefined)
    .sort((a, b) => a.order - b.order);
  for (const { least = 0, at } of shrinkable) {
    const before = widths[at] ?? 0;
    const spare = Math.min(Math.max(excess, 0), Math.max(before - least, 0));
    widths[at] = before - spare;
    excess -= spare;
  }
  return all.map((row) =>
    row.map((cell, at) =>
      shorten(cell, widths[at] ?? 0).padEnd(at === row.length - 1 ? 0 : (widths[at] ?? 0)),
    ),
  );
}
