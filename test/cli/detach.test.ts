import { closeSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { entry, useHost } from './host.js';

const host = useHost({
  volumes: ['os-1', 'os-2', 'os-3'],
  attachments: [{ volume: 'os-1' }, { volume: 'os-2' }],
});
const since = new Date(Date.now() - 7_200_000).toISOString();
const all = () => ({
  ...entry('a', 'os-1', { since }),
  ...entry('b', 'os-2'),
  ...entry('c', 'os-2', { rights: 1 }),
  ...entry('d', 'os-3'),
  e: { volume: 'os-1', rights: 7 },
});
/** A device that only those have open who open it here. */
const plainDevice = (volume: string) => {
  rmSync(host.path(`dev/${volume}`));
  writeFileSync(host.path(`dev/${volume}`), '');
};
const attached = async () => (await host.api().attachmentsList()).map(({ volume }) => volume);
const left = () => Object.keys(host.readCache());

describe('detach', () => {
  test('shows first what it would do, and asks', async () => {
    host.writeCache(all());
    plainDevice('os-1');
    const { code, stdout } = await host.cli('detach', ['a', 'b', 'd', 'e', 'x'], { ask: async () => 'no' });
    // Not every user may look at every process.
    const unseen = /Its device is not open on this host|Whether its device is open cannot be told from here/u;
    expect(stdout.replace(unseen, 'UNSEEN')).toBe(`a: detach os-1, and drop it, which is 2 h old. UNSEEN.
b: drop it. os-2 stays attached, because c needs it.
d: drop it. os-3 is not attached to this host.
e: cannot be detached. Request e in the cache has the rights 7 instead of 1 (read-only) or 2 (read/write); correct it or remove it; "storpool-attachdb forget" drops it.
x: not in ${host.file()}, so there is nothing to do.
`);
    expect([code, await attached(), left()]).toEqual([1, ['os-1', 'os-2'], ['a', 'b', 'c', 'd', 'e']]);
  });

  test('names who has the device open, as far as that can be told', async () => {
    host.writeCache(all());
    plainDevice('os-1');
    const file = openSync(host.path('dev/os-1'), 'r');
    const { stdout } = await host.cli('detach', ['a', '--dry-run']);
    closeSync(file);
    expect(stdout).toMatch(new RegExp(`Its device is open: .*process ${process.pid} \\(`, 'u'));
    // The device of a fake is a link to /dev/null.
    expect((await host.cli('detach', ['b', 'c', '--dry-run'])).stdout).toMatch(
      /b: drop it\. os-2 stays.*c needs it\.\nc: detach os-2, and drop it\. Whether its device is open/u,
    );
  });

  test('does it when told to: the last request for a volume detaches it', async () => {
    host.writeCache(all());
    const { code, stdout } = await host.cli('detach', ['c', 'b', 'd', '--yes']);
    expect(stdout.split('\n').slice(-4)).toEqual([
      'c: dropped; its volume stays attached',
      'b: detached, and dropped',
      'd: dropped; its volume was not attached',
      '',
    ]);
    expect([code, await attached(), left()]).toEqual([0, ['os-1'], ['a', 'e']]);
  });

  test('--json has the documented shape', async () => {
    host.writeCache(entry('a', 'os-1', { since }));
    const { code, json } = await host.cli('detach', ['a', 'x', '--json', '--yes']);
    const open = { users: { open: null, by: [] }, problem: null, outcome: 'detached' };
    const detached = {
      request: 'a',
      known: true,
      volume: 'os-1',
      since,
      neededBy: [],
      attached: true,
      ...open,
    };
    const unknown = expect.objectContaining({ request: 'x', known: false, outcome: null });
    expect([code, json()]).toEqual([1, { file: host.file(), requests: [detached, unknown] }]);
  });

  test('never forces, unless told to, and goes on with the others', async () => {
    host.writeCache({ ...entry('a', 'os-1'), ...entry('b', 'os-2') });
    host.fake().open('os-1');
    const { code, stdout } = await host.cli('detach', ['a', 'b', '--yes']);
    expect([code, stdout]).toEqual([3, expect.stringMatching(/^a: still there: .*os-1.*\nb: detached/mu)]);
    expect([await attached(), left()]).toEqual([['os-1'], ['a']]);
    const forced = await host.cli('detach', ['a', '--yes', '--force', 'unshared']);
    expect(forced).toMatchObject({ code: 0, stdout: expect.stringMatching(/a: detached by force, and dr/u) });
  });
});

describe('forget', () => {
  test('drops requests, whatever they are, and leaves their volumes as they are', async () => {
    host.writeCache(all());
    const { code, stdout } = await host.cli('forget', ['a', 'b', 'd', 'e', '--yes']);
    expect(stdout).toBe(`a: drop it; os-1 stays attached, and this library will never detach it.
b: drop it; c needs os-2, too.
d: drop it; os-3 is not attached to this host.
e: drop it; os-1 is not attached to this host.
a: dropped
b: dropped
d: dropped
e: dropped
`);
    expect([code, await attached(), left()]).toEqual([0, ['os-1', 'os-2'], ['c']]);
  });

  test('works without an API, and says so', async () => {
    host.writeCache(all());
    const { code, stdout } = await host.cli('forget', ['a', '--yes', '--set', 'SP_API_HTTP_PORT=1']);
    const words = expect.stringMatching(/os-1 stays as it is.*ECONNREFUSED/su);
    expect([code, stdout, left().includes('a')]).toEqual([0, words, false]);
  });

  test('leaves what somebody has attached again since it was shown', async () => {
    host.writeCache(all());
    const ask = async () => {
      host.writeCache({ ...all(), ...entry('a', 'os-1', { since: new Date().toISOString() }) });
      return 'y';
    };
    const { code, stdout } = await host.cli('forget', ['a'], { ask });
    const words = expect.stringMatching(/a: left as it is, because somebody/u);
    expect([code, stdout, left().includes('a')]).toEqual([1, words, true]);
  });
});
