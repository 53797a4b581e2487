import { rmSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  ApiError,
  type AttachDB,
  type AttachDBApi,
  type Attachment,
  type AttachRequest,
  type ReassignEntry,
} from '../../src/index.js';
import { FakeStorPool } from '../../src/testing/index.js';
import { useAttachDB } from '../lib/attach-db.js';
import vectors from '../vectors/sync.json' with { type: 'json' };

const { path, log, make, cache, writeCache, device } = useAttachDB();

interface SyncCase {
  name: string;
  ourId: number;
  prefix?: string;
  cache: Record<string, AttachRequest>;
  volumes: string[];
  snapshots: string[];
  attachments: Attachment[];
  reqId: string;
  detached: string | null;
  errors?: Record<string, { name: string; descr: string }[]>;
  expect: {
    outcome: string;
    reassign: ReassignEntry[][];
    cacheAfter: Record<string, AttachRequest>;
    warnings: number;
  };
}
const cases = vectors as unknown as SyncCase[];

/** The cluster of a case, as a mocked api object that keeps what it is asked to change. */
function mockApi(vector: SyncCase): { api: AttachDBApi; reassigned: ReassignEntry[][] } {
  const reassigned: ReassignEntry[][] = [];
  const errors = structuredClone(vector.errors ?? {});
  const named = (names: string[]) => names.map((name) => ({ name }));
  const one = (names: string[]) => async (name: string) => {
    if (names.includes(name)) return [{ name }];
    throw new ApiError(404, { error: { name: 'objectDoesNotExist', descr: `no ${name}` } });
  };
  const api: AttachDBApi = {
    attachmentsList: async () => vector.attachments,
    volumesList: async () => named(vector.volumes),
    snapshotsList: async () => named(vector.snapshots),
    volumeList: one(vector.volumes),
    snapshotList: one(vector.snapshots),
    volumesReassign: async (entries) => {
      reassigned.push([...entries]);
      const [entry] = entries;
      const name = entry?.volume ?? entry?.snapshot ?? '';
      const error = errors[name]?.shift();
      if (error) throw new ApiError(409, { error });
      if (entry?.rw || entry?.ro) device(name);
    },
  };
  return { api, reassigned };
}

async function outcomeOf(sync: Promise<unknown>): Promise<string> {
  try {
    await sync;
    return 'ok';
  } catch (error) {
    const { code } = error as { code: string };
    if (error instanceof ApiError) return `api-error:${code}`;
    return { EUNKNOWNREQUEST: 'unknown-request', ESNAPSHOTRW: 'snapshot-rw' }[code] ?? String(error);
  }
}

/** An AttachDB on the cache and the devices of a case. */
function prepare(vector: SyncCase, options: Parameters<typeof make>[0]) {
  writeCache(vector.cache);
  // What was attached before has its device.
  for (const { volume } of vector.attachments) device(volume);
  const overrideConfig: Record<string, string> = {
    ...options?.overrideConfig,
    SP_OURID: String(vector.ourId),
  };
  if (vector.prefix !== undefined) overrideConfig['SP_OPENSTACK_VOLUME_PREFIX'] = vector.prefix;
  return make({ detachRetryDelay: 1, deviceTimeout: 10_000, ...options, overrideConfig });
}

/** Besides those of the reference: requests that are stale, force, and a shared volume that is detached. */
const moreWarnings = ({ cache, reqId, detached, expect: { reassign, cacheAfter } }: SyncCase) => {
  const isStale = Object.keys(cacheAfter).length < Object.keys(cache).length;
  const detaches = reassign.flat().filter(({ detach }) => detach !== undefined);
  const isForced = detaches.some(({ force }) => force);
  const isShared = Object.entries(cache).some(([id, { volume }]) => id !== reqId && volume === detached);
  return [isStale, isForced, isShared && detaches.length > 0].filter(Boolean).length;
};

async function check(vector: SyncCase, db: AttachDB) {
  expect(await outcomeOf(db.sync(vector.reqId, vector.detached))).toBe(vector.expect.outcome);
  expect(cache()).toEqual(vector.expect.cacheAfter);
  expect(log.warn).toHaveBeenCalledTimes(vector.expect.warnings + moreWarnings(vector));
}

describe('the vectors of the reference, against an injected api', () => {
  test.each(cases)('$name', async (vector) => {
    const { api, reassigned } = mockApi(vector);
    await check(vector, prepare(vector, { api }));
    expect(reassigned).toEqual(vector.expect.reassign);
  });

  test.each(cases)('$name, when the api has no calls for single objects', async (vector) => {
    const { api, reassigned } = mockApi(vector);
    const { volumeList, snapshotList, ...lists } = api;
    await check(vector, prepare(vector, { api: lists }));
    expect(reassigned).toEqual(vector.expect.reassign);
  });
});

test.each(cases)('the vectors of the reference, over HTTP: $name', async (vector) => {
  const { volumes, snapshots, attachments, ourId: clientId } = vector;
  rmSync(path('dev'), { recursive: true });
  const cluster = { volumes, snapshots, attachments, clientId, deviceDir: path('dev') };
  await using fake = await FakeStorPool.start(cluster);
  for (const errors of Object.values(vector.errors ?? {})) {
    for (const error of errors) fake.failNext('volumesReassign', error);
  }
  await check(vector, prepare(vector, { overrideConfig: fake.config }));
  // The bindings of the reference spell out `force` in what they send.
  const sent = vector.expect.reassign.map((entries) => entries.map((entry) => ({ force: false, ...entry })));
  expect(fake.requests.filter(({ method }) => method === 'POST')).toEqual(
    sent.map((body) => ({ method: 'POST', path: '/ctrl/1.0/VolumesReassign', body })),
  );
});
