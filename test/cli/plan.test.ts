import { writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { inWords, type PlanReport } from '../../src/cli/plan.js';
import { entry, useHost } from './host.js';

const host = useHost({
  volumes: ['os-1', 'os-2'],
  snapshots: ['os-s1'],
  attachments: [{ volume: 'os-1' }],
});

test('for all requests', async () => {
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
1 attached already, with the rights that are wanted.
`,
  });
  expect(host.fake().requests.every(({ method }) => method === 'GET')).toBe(true);
});

test('for one that gives a volume up', async () => {
  host.writeCache({ ...entry('a', 'os-1'), ...entry('b', 'os-1') });
  const { stdout } = await host.cli('plan', ['a', '--detach', 'os-1']);
  expect(stdout).toMatch(/^Detach os-1 unless it is open; b still need it\.\n1 attached/u);
  const { json } = await host.cli('plan', ['a', '--detach', 'os-1', '--json']);
  expect(json()).toEqual({
    file: host.file(),
    request: 'a',
    attach: [],
    alreadyAttached: [{ volume: 'os-1', snapshot: false, rights: 2, requests: ['b'] }],
    staleRequests: [],
    detach: { volume: 'os-1', snapshot: false, neededBy: ['b'] },
    unknownRequest: false,
  } satisfies PlanReport);
});

test('in words', () => {
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

test('an empty cache asks for nothing', async () => {
  expect((await host.cli('plan')).stdout).toBe('Nothing to do.\n');
});

test('an unknown request, and a host that is careful after a restore', async () => {
  host.writeCache(entry('a', 'os-1'));
  expect(await host.cli('plan', ['b'])).toMatchObject({
    code: 3,
    stderr: expect.stringMatching(/Request b is not in/u),
  });
  writeFileSync(`${host.file()}.restored`, 'x');
  expect(await host.cli('plan')).toMatchObject({
    code: 3,
    stderr: expect.stringMatching(/name the request/u),
  });
  expect(await host.cli('plan', ['a'])).toMatchObject({ code: 0 });
});

test('a volume without a request is no usage', async () => {
  expect(await host.cli('plan', ['--detach', 'os-1'])).toMatchObject({ code: 2 });
});
