// Links of the pages that the package contains lead somewhere, in the repository and in the package.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { PACKED, read } from './pages.js';

const OTHERS = [
  'CONTRIBUTING.md',
  'examples/README.md',
  'examples/cinder-driver/README.md',
  'examples/os-brick-connector/README.md',
  'test/torture/README.md',
];
const ALWAYS_PACKED = ['README.md', 'LICENSE', 'package.json'];

/** The targets of all links and pictures that are no addresses, code left out. */
function targets(page: string): string[] {
  const text = read(page)
    .replace(/^```[\s\S]*?^```/gmu, '')
    .replace(/`[^`\n]*`/gu, '');
  return [...text.matchAll(/\]\(([^)\s]+)\)/gu)]
    .map(([, target]) => target ?? '')
    .filter((to) => !/^https?:/u.test(to));
}

/** The anchors of the headings, as GitHub makes them. */
function anchors(page: string): string[] {
  const headings = read(page)
    .replace(/^```[\s\S]*?^```/gmu, '')
    .matchAll(/^#+ (.*)$/gmu);
  return [...headings].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

/** Pictures are for whoever reads in the repository: an installed package is lighter without them. */
const isPacked = (path: string) =>
  path.startsWith('guide/pictures/') ||
  [...ALWAYS_PACKED, ...manifest.files].some((entry) => path === entry || path.startsWith(`${entry}/`));

describe.each([...PACKED, ...OTHERS])('%s', (page) => {
  test('leads somewhere', () => {
    for (const target of targets(page)) {
      const [path = '', anchor] = target.split('#');
      const file = path === '' ? page : join(page, '..', path);
      expect(existsSync(file), `${page} links to ${target}`).toBe(true);
      if (PACKED.includes(page))
        expect(isPacked(file), `${page} links to ${target}, which is not packed`).toBe(true);
      if (anchor !== undefined) expect(anchors(file), `${page} links to ${target}`).toContain(anchor);
    }
  });
});

test('headings hold no code, which the site leaves out of its table of contents', () => {
  for (const page of [...PACKED, 'CONTRIBUTING.md'])
    expect(read(page).replace(/^```[\s\S]*?^```/gmu, '')).not.toMatch(/^#.*`/mu);
});

test('nothing claims to be published', () => {
  for (const page of PACKED) expect(read(page)).not.toMatch(/npmjs\.com|shields\.io|jsdelivr|unpkg/u);
});

describe.each(readdirSync('guide/pictures').filter((name) => name.endsWith('.mmd')))('%s', (name) => {
  test('is what its picture shows', () => {
    const source = read(`guide/pictures/${name}`);
    const picture = read(`guide/pictures/${name.replace('.mmd', '.svg')}`);
    const labels = [...source.matchAll(/(?:: | as |^ *(?:loop|par) )(.+)$/gmu)].map(
      ([, label = '']) => label.split(': ').at(-1) ?? '',
    );
    expect(labels.length).toBeGreaterThan(5);
    for (const label of labels) expect(picture).toContain(label);
  });
});
