import { describe, expect, test } from 'vitest';
import { checkAttachable, syncPlan, type WantedVolume, withoutStale } from '../../src/attach/plan.js';
import type { AttachmentState, AttachRequest } from '../../src/index.js';
import { attachment } from '../lib/attach-db.js';

const request = (volume: string, rights: 1 | 2 = 2, volsnap = false): AttachRequest => ({
  volume,
  rights,
  volsnap,
});
/** For the request a, or whoever calls. */
function planOf(
  cached: Record<string, AttachRequest>,
  ours: AttachmentState[],
  detached: string | null = null,
  has: (volume: WantedVolume) => boolean = () => true,
) {
  const call = { reqId: 'a', own: cached['a'] as AttachRequest, detached };
  const plan = syncPlan(new Map(Object.entries(cached)), call, ours);
  return withoutStale(plan, new Map(plan.attach.filter(has).map((volume) => [volume, volume])));
}
const names = (volumes: { volume: string }[]) => volumes.map(({ volume }) => volume);

test('nothing that was not asked for is ever detached or given lower rights', () => {
  const ours = [attachment('os--x'), attachment('os--y'), attachment('os--a')];
  expect(planOf({ a: request('os--a', 1) }, ours)).toEqual({
    attach: [],
    alreadyAttached: [{ volume: 'os--a', snapshot: false, rights: 1, requests: ['a'] }],
    staleRequests: [],
    detach: null,
    unknownRequest: false,
  });
});

test('the request with the highest rights decides; the first of equals says what it is', () => {
  const requests = {
    a: request('os--v', 1),
    b: request('os--w'),
    c: request('os--v'),
    d: request('os--v', 1),
  };
  expect(planOf(requests, []).attach).toEqual([
    { volume: 'os--v', snapshot: false, rights: 2, requests: ['a', 'c', 'd'] },
    { volume: 'os--w', snapshot: false, rights: 2, requests: ['b'] },
  ]);
});

test('read-only is not enough for read/write', () => {
  const ours = [attachment('os--v', { rights: 'ro' }), attachment('os--w', { rights: 'ro' })];
  expect(names(planOf({ a: request('os--v'), b: request('os--w', 1) }, ours).attach)).toEqual(['os--v']);
});

const cached = { a: request('os--v'), b: request('os--v', 1), c: request('os--w') };

describe('detaching', () => {
  test('leaves out this very request, and names the others that need the volume', () => {
    const { detach } = planOf(cached, [attachment('os--v'), attachment('os--w')], 'os--v');
    expect(detach).toEqual({ volume: 'os--v', snapshot: false, neededBy: ['b'] });
  });

  test('counts this very request when it is for another volume', () => {
    const { detach, attach } = planOf(cached, [attachment('os--w')], 'os--w');
    expect(detach?.neededBy).toEqual(['c']);
    expect(attach[0]?.requests).toEqual(['a', 'b']);
  });

  test('is not the snapshot of the same name, if the own request is for the volume', () => {
    expect(planOf(cached, [attachment('os--v', { snapshot: true })], 'os--v').detach).toBeNull();
  });

  test('does nothing when the volume is not attached', () => {
    expect(planOf(cached, [attachment('os--w')], 'os--v').detach).toBeNull();
  });
});

describe('what the cluster does not have', () => {
  test('is stale, with every request for it', () => {
    const plan = planOf(cached, [], null, ({ volume }) => volume === 'os--w');
    expect(names(plan.attach)).toEqual(['os--w']);
    expect(plan.staleRequests).toEqual(['a', 'b']);
  });

  test('may be all', () => {
    const plan = planOf(cached, [], null, () => false);
    expect(plan).toMatchObject({ attach: [], staleRequests: ['a', 'b', 'c'] });
  });

  test("leaves alone the call's own request for the volume that it gives up", () => {
    expect(planOf(cached, [], 'os--v', () => false).staleRequests).toEqual(['b', 'c']);
  });
});

describe('a snapshot read/write', () => {
  const wrong = { a: request('os--s', 2, true), b: request('os--s', 1, true) };

  test('is refused, naming it and the requests', () => {
    expect(() => planOf(wrong, [])).toThrowError(
      expect.objectContaining({ code: 'ESNAPSHOTRW', message: expect.stringMatching(/os--s.*a, b/) }),
    );
  });

  test('is stale like anything else when it is not there', () => {
    expect(planOf(wrong, [], null, () => false).staleRequests).toEqual(['a', 'b']);
  });
});

test('checkAttachable() refuses a snapshot read/write, and a name outside of the prefix', () => {
  const wanted = { volume: 'os--v', snapshot: false, rights: 2 as const, requests: ['a'] };
  const problemOf = (changes: Partial<WantedVolume>) => () =>
    checkAttachable({ ...wanted, ...changes }, 'os');
  expect(problemOf({})).not.toThrow();
  expect(problemOf({ snapshot: true })).toThrow(/os--v cannot be attached read\/write/);
  expect(problemOf({ volume: 'vm' })).toThrow(/^Request a is for vm,/);
});
