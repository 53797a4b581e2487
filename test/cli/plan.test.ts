import { expect, test } from 'vitest';
import { inWords, type PlanReport } from '../../src/cli/plan.js';
import { entry, useHost } from './host.js';

const host = useHost({
  volumes: ['os-1', 'os-2'],
  snapshots: ['os-s1'],
  attachments: [{ volume: 'os-1' }],
});

test('plan, for all requests', async () => {
  host.writeCache({
    ...entry('a', 'os-1'),
    ...entry('b', 'os-2', { rights: 1 }),
    ...entry('c', 'os-gone'),
    ...entry('d', 'os-s1', { rights: 1, volsnap: true }),
  });
  expect(await host.cli('plan')).toMatchObject({
    code: 0,
    stdout: `Attach the volume os-2 read-only, for b.
Attach the snapshot os-s1 read-only, for d.
Remove request c from ${host.file()}: the cluster does not have its volume.
1 attached already, as wanted.
`,
  });
  expect(host.fake().requests.every(({ method }) => method === 'GET')).toBe(true);
});

test('plan, for one that gives a volume up', async () => {
  host.writeCache({ ...entry('a', 'os-1'), ...entry('b', 'os-1') });
  const { stdout } = await host.cli('plan', ['a', '--detach', 'os-1']);
  expect(stdout).toMatch(/^Detach os-1 unless it is open; still needed by b\.\n1 attached/u);
  const { json } = await host.cli('plan', ['a', '--detach', 'os-1', '--json']);
  expect(json()).toEqual({
    file: host.file(),
    request: 'a',
    attach: [],
    alreadyAttached: [{ volume: 'os-1', snapshot: false, rights: 2, requests: ['b'], globalId: 'fake.b.1' }],
    staleRequests: [],
    detach: { volume: 'os-1', snapshot: false, neededBy: ['b'], globalId: 'fake.b.1' },
    unknownRequest: false,
  } satisfies PlanReport);
});

test('plan says when the volume is that of another request', async () => {
  host.writeCache({ ...entry('a', 'os-2'), ...entry('b', 'os-1') });
  const { stdout } = await host.cli('plan', ['a', '--detach', 'os-1']);
  expect(stdout).toMatch(
    /Request a is not for os-1, but for os-2\. Is it the right one\?\nDetach os-1 unless .*; still needed by b/u,
  );
});

test('plan in words', () => {
  const nothing = { file: '/c', request: 'a', attach: [], alreadyAttached: [], staleRequests: [] };
  const plan = { ...nothing, detach: null, unknownRequest: false };
  const detach = { volume: 'v', snapshot: false, neededBy: [] };
  expect(inWords(plan)[0]).toBe('Nothing to do.');
  expect(inWords({ ...plan, detach }, 'v')[0]).toBe('Detach v; by force, if it stays open.');
  expect(inWords(plan, 'v')[0]).toBe('Leave v alone: it is not attached to this host.');
  expect(inWords({ ...plan, unknownRequest: true }, 'v')).toEqual([
    'Request a is not in /c: v would be left as it is.',
  ]);
});

test('plan of an empty cache, and of an unknown request', async () => {
  expect((await host.cli('plan')).stdout).toBe('Nothing to do.\n');
  const unknown = {
    code: 3,
    stderr: expect.stringMatching(/Request b is not in \S+json: it has to be added/u),
  };
  expect(await host.cli('plan', ['b'])).toMatchObject(unknown);
});

test('plan without an API: what the cache and the devices say, and the error below it', async () => {
  host.writeCache(entry('a', 'os-1'));
  const { code, stdout } = await host.cli('plan', ['--set', 'SP_API_HTTP_PORT=1']);
  expect([code, stdout]).toEqual([3, expect.stringMatching(/os-1 +rw +- +yes +\? +a\n.*ECONNREFUSED/su)]);
});
