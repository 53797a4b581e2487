import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  ApiError,
  AttachDB,
  type AttachDBApi,
  type Attachment,
  type AttachRequest,
  type ReassignEntry,
} from '../../src/index.js';
import { FakeStorPool } from '../../src/testing/index.js';
import vectors from '../vectors/sync.json' with { type: 'json' };

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

let root: string;
let fname: string;
let deviceDir: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sync-'));
  fname = join(root, 'openstack-attach.json');
  deviceDir = join(root, 'dev');
  mkdirSync(deviceDir);
});
afterEach(() => rmSync(root, { recursive: true }));

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
      if (entry?.rw || entry?.ro) writeFileSync(join(deviceDir, name), '');
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

function prepare(vector: SyncCase) {
  writeFileSync(fname, JSON.stringify(vector.cache));
  // What was attached before has its device.
  for (const { volume } of vector.attachments) writeFileSync(join(deviceDir, volume), '');
  const log = { warn: vi.fn() };
  const settings: Record<string, string> = { SP_OURID: String(vector.ourId) };
  if (vector.prefix !== undefined) settings['SP_OPENSTACK_VOLUME_PREFIX'] = vector.prefix;
  return { log, settings, common: { log, fname, deviceDir, detachRetryDelay: 1 } };
}

/** Besides those of the reference: requests that are stale, force, and a shared volume that is detached. */
const moreWarnings = ({ cache, reqId, detached, expect: { reassign, cacheAfter } }: SyncCase) => {
  const isStale = Object.keys(cacheAfter).length < Object.keys(cache).length;
  const detaches = reassign.flat().filter(({ detach }) => detach !== undefined);
  const isForced = detaches.some(({ force }) => force);
  const isShared = Object.entries(cache).some(([id, { volume }]) => id !== reqId && volume === detached);
  return [isStale, isForced, isShared && detaches.length > 0].filter(Boolean).length;
};

const cacheAfter = () => JSON.parse(readFileSync(fname, 'utf8'));

describe('the vectors of the reference, against an injected api', () => {
  test.each(cases)('$name', async (vector) => {
    const { log, settings, common } = prepare(vector);
    const { api, reassigned } = mockApi(vector);
    const db = new AttachDB({ ...common, overrideConfig: settings, api });
    expect(await outcomeOf(db.sync(vector.reqId, vector.detached))).toBe(vector.expect.outcome);
    expect(reassigned).toEqual(vector.expect.reassign);
    expect(cacheAfter()).toEqual(vector.expect.cacheAfter);
    expect(log.warn).toHaveBeenCalledTimes(vector.expect.warnings + moreWarnings(vector));
  });

  test.each(cases)('$name, when the api has no calls for single objects', async (vector) => {
    const { settings, common } = prepare(vector);
    const { api, reassigned } = mockApi(vector);
    const { volumeList, snapshotList, ...lists } = api;
    const db = new AttachDB({ ...common, overrideConfig: settings, api: lists });
    expect(await outcomeOf(db.sync(vector.reqId, vector.detached))).toBe(vector.expect.outcome);
    expect(reassigned).toEqual(vector.expect.reassign);
  });
});

describe('the vectors of the reference, over HTTP', () => {
  /** The bindings of the reference spell out `force` in what they send. */
  const asSent = (entries: ReassignEntry[]) => entries.map((entry) => ({ force: false, ...entry }));

  test.each(cases)('$name', async (vector) => {
    const { log, settings, common } = prepare(vector);
    const { volumes, snapshots, attachments } = vector;
    rmSync(deviceDir, { recursive: true });
    await using fake = await FakeStorPool.start({
      volumes,
      snapshots,
      attachments,
      clientId: vector.ourId,
      deviceDir,
    });
    for (const errors of Object.values(vector.errors ?? {})) {
      for (const error of errors) fake.failNext('volumesReassign', error);
    }
    const db = new AttachDB({ ...common, overrideConfig: { ...fake.config, ...settings } });
    expect(await outcomeOf(db.sync(vector.reqId, vector.detached))).toBe(vector.expect.outcome);
    const changes = fake.requests.filter(({ method }) => method === 'POST');
    expect(changes).toEqual(
      vector.expect.reassign.map((entries) => ({
        method: 'POST',
        path: '/ctrl/1.0/VolumesReassign',
        body: asSent(entries),
      })),
    );
    expect(cacheAfter()).toEqual(vector.expect.cacheAfter);
    expect(log.warn).toHaveBeenCalledTimes(vector.expect.warnings + moreWarnings(vector));
  });
});
