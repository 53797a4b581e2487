import { describe, expect, test } from 'vitest';
import {
  checkAttachable,
  type SyncCall,
  syncNeeds as syncNeedsOf,
  syncPlan,
  type WantedVolume,
} from '../../src/attach/plan.js';
import type { AttachmentState, AttachRequest } from '../../src/index.js';

const call = (changes: Partial<SyncCall> = {}): SyncCall => ({
  reqId: 'a',
  detached: null,
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
/** For the request a, or whoever calls. */
const syncNeeds = (cached: Map<string, AttachRequest>, ours: AttachmentState[], sync: SyncCall) =>
  syncNeedsOf(cached, cached.get(sync.reqId) as AttachRequest, ours, sync);
const requests = (entries: Record<string, AttachRequest>) => new Map(Object.entries(entries));
/** What the cluster has of these. */
const having = (wanted: WantedVolume[], exists: (volume: WantedVolume) => boolean) =>
  new Map(wanted.filter(exists).map((volume) => [volume, volume]));

test('nothing that was not asked for is ever detached or given lower rights', () => {
  const attachments = [attachment('os--x'), attachment('os--y', { rights: 'rw' }), attachment('os--a')];
  const cached = requests({ a: request('os--a', 1) });
  const needs = syncNeeds(cached, attachments, call());
  expect(needs).toEqual({
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

test('read-only is not enough for read/write', () => {
  const cached = requests({ a: request('os--v', 2), b: request('os--w', 1) });
  const ours = [attachment('os--v', { rights: 'ro' }), attachment('os--w', { rights: 'ro' })];
  expect(syncNeeds(cached, ours, call()).missing.map(({ volume }) => volume)).toEqual(['os--v']);
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

  test('does nothing when the volume is not attached', () => {
    expect(syncNeeds(cached, [attachment('os--w')], call({ detached: 'os--v' })).detach).toBeNull();
  });
});

describe('what the cluster does not have', () => {
  const cached = requests({ a: request('os--v'), b: request('os--v', 1), c: request('os--w') });
  const planOf = (exists: (wanted: { volume: string }) => boolean, changes: Partial<SyncCall> = {}) => {
    const needs = syncNeeds(cached, [], call(changes));
    return syncPlan(cached, needs, having(needs.missing, exists));
  };

  test('is stale, with every request for it', () => {
    const plan = planOf(({ volume }) => volume === 'os--w');
    expect(plan.attach.map(({ volume }) => volume)).toEqual(['os--w']);
    expect(plan.staleRequests).toEqual(['a', 'b']);
  });

  test('may be all', () => {
    expect(planOf(() => false)).toMatchObject({ attach: [], staleRequests: ['a', 'b', 'c'] });
  });

  test("leaves alone the call's own request for the volume that it gives up", () => {
    expect(planOf(() => false, { detached: 'os--v' }).staleRequests).toEqual(['b', 'c']);
  });
});

describe('a snapshot read/write', () => {
  const cached = requests({ a: request('os--s', 2, true), b: request('os--s', 1, true) });
  const needs = syncNeeds(cached, [], call());

  test('is refused, naming it and the requests', () => {
    expect(() =>
      syncPlan(
        cached,
        needs,
        having(needs.missing, () => true),
      ),
    ).toThrowError(
      expect.objectContaining({
        name: 'AttachError',
        code: 'ESNAPSHOTRW',
        message: expect.stringMatching(/os--s.*a, b/),
      }),
    );
  });

  test('is stale like anything else when it is not there', () => {
    expect(syncPlan(cached, needs, new Map()).staleRequests).toEqual(['a', 'b']);
  });
});

describe('checkAttachable()', () => {
  const wanted = { volume: 'os--v', snapshot: false, rights: 2 as const, requests: ['a'] };

  test('takes a volume with the prefix', () => {
    expect(() => checkAttachable(wanted, 'os')).not.toThrow();
  });

  test('refuses a snapshot read/write', () => {
    expect(() => checkAttachable({ ...wanted, snapshot: true }, 'os')).toThrowError(
      expect.objectContaining({ code: 'ESNAPSHOTRW' }),
    );
  });

  test('refuses a name outside of the prefix', () => {
    expect(() => checkAttachable({ ...wanted, volume: 'vm' }, 'os')).toThrowError(
      expect.objectContaining({
        code: 'EBADREQUEST',
        message: expect.stringMatching(/^Request a is for vm,/),
      }),
    );
  });
});
