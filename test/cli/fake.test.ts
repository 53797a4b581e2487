import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';

const shell = (script: string) =>
  execFileSync('sh', ['-c', script], { encoding: 'utf8' }).trimEnd().split('\n');

test('fake: a curl line and an export block that work, and a line for each request', async () => {
  const args = ['dist/cli/main.js', 'fake', '--token', "it's", '--client-id', '7'];
  const program = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  program.stdout.on('data', (chunk) => {
    output += chunk;
  });
  const isShown = (words: RegExp) => expect.poll(() => output, { timeout: 15_000 }).toMatch(words);
  try {
    await isShown(/SP_OURID=7.*Ctrl-C ends it/su);
    // What the shell makes of the two; curl itself need not be installed.
    const curl = /^curl (.*)$/mu.exec(output)?.[1];
    const [flag, header = '', url = ''] = shell(`printf '%s\n' ${curl}`);
    expect([flag, header]).toEqual(['-H', "Authorization: Storpool v1:it's"]);
    const names = ['TOKEN', 'HOST', 'PORT'].map(
      (name) => `"$SP_${name === 'TOKEN' ? 'AUTH' : 'API_HTTP'}_${name}"`,
    );
    const exports = output.match(/^export .*$/gmu)?.join('\n');
    const [token, host, port] = shell(`${exports}\nprintf '%s\n' ${names.join(' ')}`);
    expect([token, url]).toEqual(["it's", `http://${host}:${port}/ctrl/1.0/VolumesList`]);

    const headers = { Authorization: "Storpool v1:it's" };
    const volumes = { data: [{ name: 'os--volume-1' }, { name: 'os--volume-2' }] };
    expect(await (await fetch(url, { headers })).json()).toMatchObject(volumes);
    await fetch(url.replace('VolumesList', 'VolumeDelete/x'), { method: 'POST', body: '{}', headers });
    await isShown(/Z GET \/ctrl\/1\.0\/VolumesList 200 \d+\.\d ms\n.*VolumeDelete\/x 404 \d+\.\d ms \{\}\n/u);
  } finally {
    program.kill('SIGTERM');
  }
  expect(await once(program, 'exit')).toEqual([0, null]);
}, 40_000);
