// Draws the sequence diagrams of the guides, guide/pictures/*.mmd, as pictures. Needs Chromium.
//
//   npm run diagrams
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PACKAGES = ['@mermaid-js/mermaid-cli@11', 'puppeteer@24', 'svgo@4'];
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const pictures = fileURLToPath(new URL('../guide/pictures/', import.meta.url));
const dir = mkdtempSync(join(tmpdir(), 'storpool-diagrams-'));
const run = (command, ...args) =>
  execFileSync('npx', ['--yes', ...PACKAGES.map((name) => `--package=${name}`), '--', command, ...args], {
    env: { ...process.env, PUPPETEER_SKIP_DOWNLOAD: '1' },
    stdio: 'inherit',
  });
try {
  const browser = join(dir, 'browser.json');
  writeFileSync(browser, JSON.stringify({ executablePath, args: ['--no-sandbox'] }));
  for (const name of readdirSync(pictures).filter((file) => file.endsWith('.mmd'))) {
    const svg = join(pictures, `${basename(name, '.mmd')}.svg`);
    run(
      'mmdc',
      '--quiet',
      '--puppeteerConfigFile',
      browser,
      '--backgroundColor',
      'white',
      '--input',
      join(pictures, name),
      '--output',
      svg,
    );
    run('svgo', '--quiet', '--config', fileURLToPath(new URL('svgo.config.mjs', import.meta.url)), svg);
    // Without a size of its own, a picture is as small as a browser likes.
    const sized = readFileSync(svg, 'utf8').replace(
      /^(<svg [^>]*?)width="100%"([^>]*viewBox="\S+ \S+ (\S+) (\S+)")/u,
      '$1width="$3" height="$4"$2',
    );
    writeFileSync(svg, sized);
  }
} finally {
  rmSync(dir, { recursive: true });
}
