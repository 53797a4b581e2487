// Makes the pictures of the README, guide/pictures/*.svg, from what the program prints on a fake host.
//
//   npm run pictures            writes them
//   npm run pictures -- --check says which are not what it would write
import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { FakeStorPool } from 'storpool-spopenstack/testing';

const COLUMNS = 98;
const [CHARACTER, LINE, MARGIN, BAR] = [8.4, 19, 16, 34];
const ESCAPE = String.fromCharCode(27);
const root = fileURLToPath(new URL('..', import.meta.url));
const FILES = {
  config: 'etc/storpool.conf',
  file: 'var/spool/openstack-storpool/openstack-attach.json',
  'device-dir': 'dev/storpool',
};

const volume = (name) => `os--volume-${name}`;
const VOLUMES = ['0d4c6f2a', '41b7e9d3', '7f6c2b1e', 'a93e5d08', 'c2f81b64'].map(volume);

/** A host with something of each kind. */
async function withHost(fn) {
  const dir = mkdtempSync(join(tmpdir(), 'storpool-pictures-'));
  const at = (path) => join(dir, path);
  for (const path of Object.values(FILES))
    mkdirSync(at(join(path, path === FILES['device-dir'] ? '' : '..')), { recursive: true });
  const [nova, cinder, idle, fresh, reader] = VOLUMES;
  const fake = await FakeStorPool.start({
    volumes: VOLUMES,
    attachments: [{ volume: nova }, { volume: cinder }, { volume: idle }, { volume: reader, rights: 'ro' }],
    deviceDir: at(FILES['device-dir']),
  });
  try {
    const request = (id, of, rights = 2) => [id, { volume: of, type: 'cinder', id, rights, volsnap: false }];
    const requests = [
      request('5e1d', nova),
      request('8a07', cinder),
      request('b6f4', fresh),
      request('d213', reader),
      request('e9c5', volume('f00dcafe')),
    ];
    const write = (name, content, mode = 0o660) => {
      writeFileSync(at(name), content);
      chmodSync(at(name), mode);
    };
    const cache = (some) => JSON.stringify(Object.fromEntries(some));
    write(FILES.file, cache(requests));
    chmodSync(at(join(FILES.file, '..')), 0o2770);
    rmSync(join(at(FILES['device-dir']), cinder));
    const settings = Object.entries(fake.config).map(([key, value]) => `${key}=${value}\n`);
    write(FILES.config, settings.join(''), 0o640);
    /** Cut in the middle of a request, beside a journal that is older. */
    const tear = () => {
      const wrote = (name, content, minutesAgo) => {
        write(name, content);
        const then = Date.now() / 1000 - minutesAgo * 60;
        utimesSync(at(name), then, then);
      };
      wrote(FILES.file, cache(requests.slice(0, 3)).slice(0, -60), 4);
      wrote(`${FILES.file}.backup`, `${cache([requests[1], requests[4]])}\n`, 120);
    };
    return await fn(dir, fake.port, tear);
  } finally {
    await fake.close();
    rmSync(dir, { recursive: true });
  }
}

/** What a command prints, with what differs from run to run, and from host to host, made the same. */
async function printed(command, dir, port) {
  const options = Object.entries(FILES).flatMap(([name, path]) => [`--${name}`, path]);
  const env = { ...process.env, FORCE_COLOR: '1', NO_COLOR: '', COLUMNS: String(COLUMNS) };
  const args = [join(root, 'dist/cli/main.js'), ...command.split(' '), ...options];
  // With findings it "fails" with 1.
  const { code, stdout, stderr } = await promisify(execFile)(process.execPath, args, { cwd: dir, env }).catch(
    (error) => error,
  );
  if (code === undefined ? !command.includes('--dry-run') : code !== 1)
    throw new Error(`${command} ends with ${code}: ${stderr}`);
  const defaults = options.map((word) => ` ${word}`).join('');
  return stdout
    .replaceAll(defaults, '')
    .replace(new RegExp(`(?<=^|[ (]|${ESCAPE}\\[\\d+m)(?=(?:etc|var|dev)/)`, 'gmu'), '/')
    .replaceAll(String(port), '81')
    .replace(/answers in \d+ ms/u, 'answers in 2 ms')
    .replace(/ is \S+ (2770|0660)/gu, ' is root:spopenstack $1')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/gu, '2026-01-14T02:04:11.000Z');
}

const FILLS = { 31: '#ff7b72', 32: '#7ee787', 33: '#e3b341', 2: '#8b949e' };
/** With blanks that nobody folds. */
const asXml = (words) => words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll(' ', '\u00a0');

/** One line of a terminal as SVG; what stands in columns has its exact place, whatever the font. */
function svgLine(line, top) {
  let [column, style] = [0, ''];
  const spans = line.split(ESCAPE).flatMap((piece, at) => {
    const [, code, words] = at === 0 ? [undefined, undefined, piece] : /^\[(\d+)m(.*)$/su.exec(piece);
    if (code !== undefined)
      style = code === '1' ? ' font-weight="bold"' : FILLS[code] ? ` fill="${FILLS[code]}"` : '';
    return words.split(/( {2,}|^ )/u).map((part) => {
      const [x, width] = [MARGIN + column * CHARACTER, part.length * CHARACTER];
      column += part.length;
      if (part.trim() === '') return '';
      return `<text x="${x.toFixed(1)}" y="${top}" textLength="${width.toFixed(1)}"${style}>${asXml(part)}</text>`;
    });
  });
  return spans.join('');
}

function svg(command, output) {
  const lines = [`$ storpool-attachdb ${command}`, ...output.trimEnd().split('\n')];
  const width = Math.ceil((COLUMNS + 2) * CHARACTER + 2 * MARGIN);
  const height = BAR + lines.length * LINE + MARGIN;
  const dots = ['#ff5f57', '#febc2e', '#28c840'].map(
    (fill, at) => `<circle cx="${MARGIN + 6 + at * 20}" cy="17" r="6" fill="${fill}"/>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="What storpool-attachdb ${command} prints">
<rect width="${width}" height="${height}" rx="8" fill="#161b22"/>
${dots.join('')}
<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="14" fill="#e6edf3">
${lines
  .map((line, at) => svgLine(line, BAR + (at + 1) * LINE - 5))
  .filter(Boolean)
  .join('\n')}
</g>
</svg>
`;
}

const check = process.argv.includes('--check');
await withHost(async (dir, port, tear) => {
  mkdirSync(join(root, 'guide/pictures'), { recursive: true });
  for (const command of ['status', 'doctor', 'repair --dry-run']) {
    const [name] = command.split(' ');
    if (name === 'repair') tear();
    const path = join(root, `guide/pictures/${name}.svg`);
    const made = svg(command, await printed(command, dir, port));
    if (!check) writeFileSync(path, made);
    else if (readFileSync(path, 'utf8') !== made) {
      console.error(`${path} is not what the program prints: npm run pictures`);
      process.exitCode = 1;
    }
  }
});
