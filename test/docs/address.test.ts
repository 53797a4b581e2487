// Where the repository is, package.json says in `repository`, and nothing else contradicts it.
import { expect, test } from 'vitest';
import manifest from '../../package.json' with { type: 'json' };
import { PACKED, read } from './pages.js';

interface Addresses {
  repository?: { type: string; url: string };
  homepage?: string;
  bugs?: string;
}

const GIT = /^git\+(https:\/\/[^/]+\/[^/]+\/[^/]+)\.git$/u;
const CODE_HOSTS = /https:\/\/(?:github\.com|gitlab\.com|codeberg\.org|bitbucket\.org)\/[^\s)"'>]*/gu;

function contradictions({ repository, homepage, bugs }: Addresses, pages: Record<string, string>): string[] {
  const address = GIT.exec(repository?.url ?? '')?.[1];
  const expected = address === undefined ? {} : { homepage: `${address}#readme`, bugs: `${address}/issues` };
  const found: string[] = [];
  if (repository && address === undefined) found.push(`repository: ${repository.url}`);
  if (homepage !== expected.homepage) found.push(`homepage: ${homepage}`);
  if (bugs !== expected.bugs) found.push(`bugs: ${bugs}`);
  for (const [page, text] of Object.entries(pages)) {
    for (const [, from = ''] of text.matchAll(/git clone (<[^>]*>|\S+)/gu))
      if (from !== (address === undefined ? '<this repository>' : `${address}.git`))
        found.push(`${page}: git clone ${from}`);
    for (const [url] of text.matchAll(CODE_HOSTS))
      if (address === undefined || (!`${url}/`.startsWith(`${address}/`) && url !== `${address}.git`))
        found.push(`${page}: ${url}`);
  }
  return found;
}

const ADDRESS = 'https://github.com/someone/storpool-spopenstack';
const COMPLETE = {
  repository: { type: 'git', url: `git+${ADDRESS}.git` },
  homepage: `${ADDRESS}#readme`,
  bugs: `${ADDRESS}/issues`,
};

test('no address contradicts the repository of package.json', () => {
  const pages = [...PACKED, 'CONTRIBUTING.md', '.github/ISSUE_TEMPLATE/config.yml'];
  expect(
    contradictions(manifest as Addresses, Object.fromEntries(pages.map((page) => [page, read(page)]))),
  ).toEqual([]);
});

test('with an address, everything names it', () => {
  const page = `git clone ${ADDRESS}.git\n[issues](${ADDRESS}/issues)`;
  expect(contradictions(COMPLETE, { page })).toEqual([]);
  expect(contradictions({ repository: COMPLETE.repository }, { page })).toHaveLength(2);
  expect(contradictions(COMPLETE, { page: 'git clone <this repository>' })).toHaveLength(1);
  expect(contradictions(COMPLETE, { page: `${ADDRESS}-fork/issues` })).toHaveLength(1);
  expect(contradictions({ ...COMPLETE, bugs: 'https://example.com' }, {})).toHaveLength(1);
  expect(contradictions({ repository: { type: 'git', url: ADDRESS } }, {})).toHaveLength(1);
});

test('without an address, nothing names one', () => {
  expect(contradictions({}, { page: 'git clone <this repository>' })).toEqual([]);
  expect(contradictions({}, { page: `git clone ${ADDRESS}.git` })).toHaveLength(2);
  expect(contradictions({ homepage: ADDRESS }, {})).toHaveLength(1);
});
