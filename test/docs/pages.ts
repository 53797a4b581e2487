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
