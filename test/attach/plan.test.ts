import { describe, expect, test } from 'vitest';
import { type SyncCall, syncNeeds, syncPlan } from '../../src/attach/plan.js';
import type { AttachmentState, AttachRequest } from '../../src/index.js';

const call = (changes: Partial<SyncCall> = {}): SyncCall => ({
  reqId: 'a',
  detached: null,
  clientId: 1,
  prefix: 'os',
  ...changes,
});
const request = (volume: string, rights: 1 | 2 = 2, volsnap?: boolean): AttachRequest => ({
  volume,
  rights,
  ...(volsnap === undefined ? {} : { volsnap }),
});
const attachment = (volume: string, changes: Partial<AttachmentState> = {}): AttachmentState => ({
  volume,
  snapshot: false,
  client: 1,
  rights: 'rw',
  ...changes,
});
const requests = (entries: Record<string, AttachRequest>) => new Map(Object.entries(entries));
const all = () => true;
const none = () => false;

test('nothing that was not asked for is ever detached or given lower rights', () => {
  const attachments = [attachment('os--x'), attachment('os--y', { rights: 'rw' }), attachment('os--a')];
  const cached = requests({ a: request('os--a', 1) });
  const needs = syncNeeds(cached, attachments, call());
  expect(needs).toEqual({
    requests: cached,
    missing: [],
    alreadyAttached: [{ volume: 'os--a', snapshot: false, rights: 1, requests: ['a'] }],
    detach: null,
  });
});

test('the request with the highest rights decides; the first of equals says what it is', () => {
  const { missing } = syncNeeds(
    requests({
      a: request('os--v', 1),
      b: request('os--w', 2),
      c: request('os--v', 2),
      d: request('os--v', 1),
    }),
    [],
    call(),
  );
  expect(missing).toEqual([
    { volume: 'os--v', snapshot: false, rights: 2, requests: ['a', 'c', 'd'] },
    { volume: 'os--w', snapshot: false, rights: 2, requests: ['b'] },
  ]);
});

test('read-only is not enough for read/write, another host is not this one', () => {
  const cached = requests({ a: request('os--v', 2), b: request('os--w', 1) });
  const attachments = [attachment('os--v', { rights: 'ro' }), attachment('os--w', { client: 2 })];
  expect(syncNeeds(cached, attachments, call()).missing.map(({ volume }) => volume)).toEqual([
    'os--v',
    'os--w',
  ]);
});

describe('detaching', () => {
  const cached = requests({ a: request('os--v'), b: request('os--v', 1), c: request('os--w') });

  test('leaves out this very request, and names the others that need the volume', () => {
    const needs = syncNeeds(cached, [attachment('os--v'), attachment('os--w')], call({ detached: 'os--v' }));
    expect(needs.detach).toEqual({ volume: 'os--v', snapshot: false, neededBy: ['b'] });
  });

  test('counts this very request when it is for another volume', () => {
    const needs = syncNeeds(cached, [attachment('os--w')], call({ detached: 'os--w', reqId: 'a' }));
    expect(needs.detach?.neededBy).toEqual(['c']);
    expect(needs.missing[0]?.requests).toEqual(['a', 'b']);
  });

  test('goes by what is attached: a snapshot is detached as one', () => {
    const needs = syncNeeds(cached, [attachment('os--v', { snapshot: true })], call({ detached: 'os--v' }));
    expect(needs.detach?.snapshot).toBe(true);
  });

  test.each([
    ['is not attached', []],
    ['is attached elsewhere', [attachment('os--v', { client: 2 })]],
  ])('does nothing when the volume %s', (_what, attachments) => {
    expect(syncNeeds(cached, attachments, call({ detached: 'os--v' })).detach).toBeNull();
  });

  test('does nothing outside the prefix', () => {
    const foreign = requests({ a: request('vm') });
    expect(syncNeeds(foreign, [attachment('vm')], call({ detached: 'vm' })).detach).toBeNull();
  });
});

describe('what the cluster does not have', () => {
  const needs = syncNeeds(
    requests({ a: request('os--v'), b: request('os--v', 1), c: request('os--w') }),
    [],
    call(),
  );

  test('is stale, with every request for it', () => {
    const plan = syncPlan(needs, ({ volume }) => volume === 'os--w');
    expect(plan.attach.map(({ volume }) => volume)).toEqual(['os--w']);
    expect(plan.staleRequests).toEqual(['a', 'b']);
  });

  test('may be all', () => {
    expect(syncPlan(needs, none)).toMatchObject({ attach: [], staleRequests: ['a', 'b', 'c'] });
  });
});

describe('a snapshot read/write', () => {
  const needs = syncNeeds(
    requests({ a: request('os--s', 2, true), b: request('os--s', 1, true) }),
    [],
    call(),
  );

  test('is refused, naming it and the requests', () => {
    expect(() => syncPlan(needs, all)).toThrowError(
      expect.objectContaining({
        name: 'AttachError',
        code: 'ESNAPSHOTRW',
        message: expect.stringMatching(/os--s.*a, b/),
      }),
    );
  });

  test('is stale like anything else when it is not there', () => {
    expect(syncPlan(needs, none).staleRequests).toEqual(['a', 'b']);
  });
});
