import { readdirSync, readFileSync } from 'node:fs';

/** The pages that the package contains. */
export const PACKED = [
  'README.md',
  'CHANGELOG.md',
  'SECURITY.md',
  ...readdirSync('guide')
    .filter((name) => name.endsWith('.md'))
    .map((name) => `guide/${name}`),
];

export const read = (page: string): string => readFileSync(page, 'utf8');

/** A block of JavaScript, with the line at which it begins, and the heading that it stands under. */
export interface Block {
  code: string;
  line: number;
  heading: string;
}

export const codeOf = (page: string): Block[] => {
  const text = read(page);
  return [...text.matchAll(/^```js\n([\s\S]*?)^```/gmu)].map(({ 1: code = '', index }) => {
    const before = text.slice(0, index);
    const heading = [...before.matchAll(/^#+ (.*)$/gmu)].at(-1)?.[1] ?? '';
    return { code, line: before.split('\n').length + 1, heading };
  });
};
