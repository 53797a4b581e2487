import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, vi } from 'vitest';
import {
  ApiError,
  AttachDB,
  type AttachDBApi,
  type AttachDBOptions,
  type AttachmentState,
  type AttachRequest,
  type Named,
  type ReassignEntry,
} from '../../src/index.js';
import { useTempDir } from './temp-dir.js';

export const settings = {
  SP_OURID: '1',
  SP_AUTH_TOKEN: '123',
  SP_API_HTTP_HOST: '127.0.0.1',
  SP_API_HTTP_PORT: '81',
};

/** A cluster that has everything and attaches nothing by itself. */
export const mockApi = () => ({
  attachmentsList: vi.fn<AttachDBApi['attachmentsList']>().mockResolvedValue([]),
  volumesList: vi.fn().mockRejectedValue(new Error('not to be read')),
  snapshotsList: vi.fn().mockRejectedValue(new Error('not to be read')),
  volumeList: vi.fn(async (name: string) => [{ name }]),
  snapshotList: vi.fn(async (name: string) => [{ name }]),
  volumesReassign: vi.fn<AttachDBApi['volumesReassign']>().mockResolvedValue({}),
});

/** A cluster that does what it is asked to. Each name is that of a volume and of a snapshot. */
export function workingApi(volumes: readonly (string | Named)[], attachments: AttachmentState[] = []) {
  const objects = volumes.map((volume) => (typeof volume === 'string' ? { name: volume } : volume));
  const has = async (name: string) =>
    objects.filter((object) => object.name === name || `~${object.globalId}` === name);
  const change = async ([entry]: readonly ReassignEntry[]) => {
    if (entry === undefined) return;
    const volume = entry.volume ?? entry.snapshot;
    const snapshot = entry.snapshot !== undefined;
    const at = attachments.findIndex((one) => one.volume === volume && one.snapshot === snapshot);
    if (at >= 0) attachments.splice(at, 1);
    const [rw, ro] = [entry.rw?.[0], entry.ro?.[0]];
    const client = Number(rw ?? ro);
    if (entry.detach) return;
    const globalId = objects.find(({ name }) => name === volume)?.globalId;
    attachments.push({ volume, snapshot, client, rights: rw ? 'rw' : 'ro', ...(globalId && { globalId }) });
  };
  /** As Cinder does when it has migrated a volume. */
  const rename = (before: string, after: string) => {
    for (const object of objects) if (object.name === before) object.name = after;
    for (const one of attachments) if (one.volume === before) one.volume = after;
  };
  return {
    ...mockApi(),
    attachments,
    objects,
    rename,
    attachmentsList: vi.fn<AttachDBApi['attachmentsList']>(async () => structuredClone(attachments)),
    volumeList: vi.fn(has),
    snapshotList: vi.fn(has),
    volumesReassign: vi.fn<AttachDBApi['volumesReassign']>(change),
  };
}

export const request = (volume: string, changes: Partial<AttachRequest> = {}): AttachRequest => ({
  volume,
  rights: 2,
  volsnap: false,
  ...changes,
});

export const attachment = (volume: string, changes: Partial<AttachmentState> = {}): AttachmentState => ({
  volume,
  snapshot: false,
  client: 1,
  rights: 'rw',
  ...changes,
});

/** How the API says that a client has the volume open. */
export const isOpen = (name = 'busy') =>
  new ApiError(409, { error: { name, descr: 'Volume is open at client 1' } });

/** Each test fails if a rejection that nobody handles is left. */
export function useNoUnhandled(): void {
  const unhandled: unknown[] = [];
  const onUnhandled = (reason: unknown) => unhandled.push(reason);
  beforeEach(() => void process.on('unhandledRejection', onUnhandled));
  afterEach(async () => {
    await new Promise((resolve) => setTimeout(resolve, 5));
    process.off('unhandledRejection', onUnhandled);
    expect(unhandled.splice(0)).toEqual([]);
  });
}

/** A cache, a device directory and a logger of its own for each test. */
export function useAttachDB() {
  const path = useTempDir();
  const log = { warn: vi.fn(), debug: vi.fn() };
  beforeEach(() => {
    mkdirSync(path('dev'));
    writeFileSync(path('openstack-attach.json'), '{}');
    log.warn.mockReset();
    log.debug.mockReset();
  });
  const fname = () => path('openstack-attach.json');
  return {
    path,
    log,
    fname,
    make: (options: Partial<AttachDBOptions> = {}) =>
      new AttachDB({
        log,
        fname: fname(),
        deviceDir: path('dev'),
        deviceTimeout: 20,
        overrideConfig: settings,
        ...options,
      }),
    cache: (): Record<string, AttachRequest> => JSON.parse(readFileSync(fname(), 'utf8')),
    writeCache: (requests: Record<string, AttachRequest>) => writeFileSync(fname(), JSON.stringify(requests)),
    device: (name: string) => {
      rmSync(path(`dev/${name}`), { force: true });
      symlinkSync('/dev/null', path(`dev/${name}`));
    },
  };
}
