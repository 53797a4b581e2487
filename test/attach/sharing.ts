import { mkdirSync, writeFileSync } from 'node:fs';
import { beforeEach, vi } from 'vitest';
import { AttachDB, type Attachment, type LockOptions } from '../../src/index.js';
import { useTempDir } from '../lib/temp-dir.js';

export let fname: string;
let deviceDir: string;

/** A cache of its own for each test. @returns the path of a name beside it */
export function useCache(): (name?: string) => string {
  const path = useTempDir();
  beforeEach(() => {
    fname = path('cache.json');
    deviceDir = path('dev');
    writeFileSync(fname, '{}');
    mkdirSync(deviceDir);
  });
  return path;
}

type Rights = Pick<Attachment, 'volume' | 'snapshot' | 'client' | 'rights'>;

export function make(lock?: LockOptions) {
  const attachments: Rights[] = [];
  const api = {
    attachmentsList: vi.fn(async () => structuredClone(attachments)),
    volumesList: vi.fn(async () => []),
    snapshotsList: vi.fn(async () => []),
    volumeList: vi.fn(async (name: string) => [{ name }]),
    volumesReassign: vi.fn(async ([entry]: readonly { volume?: string; detach?: unknown }[]) => {
      const volume = entry?.volume ?? '';
      if (entry?.detach) attachments.splice(0);
      else attachments.push({ volume, snapshot: false, client: 1, rights: 'rw' });
    }),
  };
  const log = { warn: vi.fn() };
  const settings = { SP_OURID: '1', SP_AUTH_TOKEN: '1' };
  const db = new AttachDB({
    log,
    fname,
    overrideConfig: settings,
    api,
    deviceDir,
    deviceTimeout: 0,
    detachRetryDelay: 1,
    detachRetries: 2,
    lock,
  });
  return { db, api, attachments, log };
}

/** A signal that is aborted as soon as somebody reads the attachments, of which there are none. */
export function abortedByReading(api: ReturnType<typeof make>['api']): AbortSignal {
  const controller = new AbortController();
  api.attachmentsList.mockImplementation(async () => {
    controller.abort(new Error('enough'));
    return [];
  });
  return controller.signal;
}

export const volumes = ['os--1', 'os--2', 'os--3', 'os--4'];
export const addAll = async (db: ReturnType<typeof make>['db']) => {
  for (const volume of volumes) await db.add(volume, { volume, rights: 2 });
};

export const after = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
export const codeOf = (error: { code: string }) => error.code;
