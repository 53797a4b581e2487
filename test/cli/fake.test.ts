import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, expect, test } from 'vitest';

let program: ChildProcess;
afterEach(async () => {
  if (program.exitCode !== null) return;
  const ended = once(program, 'exit');
  program.kill();
  await ended;
});

test('fake: a curl line and an export block that work, and a line for each request', async () => {
  program = spawn(process.execPath, ['dist/cli/main.js', 'fake', '--token', "it's"], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  program.stdout?.on('data', (chunk) => {
    output += chunk;
  });
  await expect.poll(() => output, { timeout: 15_000 }).toContain('Ctrl-C ends it');

  // What the shell makes of the two; curl itself need not be installed.
  const curl = /^curl (.*)$/mu.exec(output)?.[1];
  const [flag, header = '', url = ''] = shell(`printf '%s\n' ${curl}`);
  expect([flag, header]).toEqual(['-H', "Authorization: Storpool v1:it's"]);
  const exports = output.match(/^export .*$/gmu)?.join('\n');
  const [token, host, port] = shell(
    `${exports}\nprintf '%s\n' "$SP_AUTH_TOKEN" "$SP_API_HTTP_HOST" "$SP_API_HTTP_PORT"`,
  );
  expect([token, url]).toEqual(["it's", `http://${host}:${port}/ctrl/1.0/VolumesList`]);

  const [name = '', value = ''] = header.split(': ');
  const reply = await fetch(url, { headers: { [name]: value } });
  expect(await reply.json()).toMatchObject({ data: [{ name: 'os--volume-1' }, { name: 'os--volume-2' }] });
  await fetch(url.replace('VolumesList', 'VolumeDelete/x'), {
    method: 'POST',
    body: '{}',
    headers: { [name]: value },
  });
  await expect
    .poll(() => output, { timeout: 15_000 })
    .toMatch(/Z POST \/ctrl\/1\.0\/VolumeDelete\/x 404 \d+\.\d ms \{\}\n/u);
  expect(output).toMatch(/Z GET \/ctrl\/1\.0\/VolumesList 200 \d+\.\d ms\n/u);

  program.kill('SIGTERM');
  expect(await once(program, 'exit')).toEqual([0, null]);
}, 40_000);

const shell = (script: string) =>
  execFileSync('sh', ['-c', script], { encoding: 'utf8' }).trimEnd().split('\n');
