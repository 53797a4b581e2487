import { tracingChannel } from 'node:diagnostics_channel';
import { describe, expectTypeOf, test, vi } from 'vitest';
import {
  type AllClusters,
  Api,
  type ApiOk,
  AttachDB,
  type AttachDBApi,
  type Attachment,
  type AttachRequest,
  type AttachRequestFields,
  type DiagnosticsEvents,
  type HostStatus,
  type ReassignEntry,
  type Snapshot,
  SPConfig,
  SPLockedJSONDB,
  type SyncReport,
  type Task,
  VERDICTS,
  type Verdict,
  type Volume,
  type VolumeDataStatus,
  type VolumeSpace,
} from '../src/index.js';

const log = { warn: (_message: string) => undefined };

describe('cache entries', () => {
  test('have the rights 1 or 2', () => {
    expectTypeOf<AttachRequest['rights']>().toEqualTypeOf<1 | 2>();
    expectTypeOf<{ volume: 'v'; rights: 2 }>().toExtend<AttachRequest>();
    expectTypeOf<{ volume: 'v'; rights: 3 }>().not.toExtend<AttachRequest>();
    expectTypeOf<{ volume: 'v'; rights: 'rw' }>().not.toExtend<AttachRequest>();
    expectTypeOf<{ rights: 1 }>().not.toExtend<AttachRequest>();
  });

  test('keep members that are not known', () => {
    expectTypeOf<{ volume: 'v'; rights: 1; theirs: { x: number } }>().toExtend<AttachRequest>();
    expectTypeOf<AttachRequest['theirs']>().toEqualTypeOf<unknown>();
    expectTypeOf<AttachRequest['remove_on_detach']>().toEqualTypeOf<boolean | undefined>();
  });

  test('are what the cache holds', () => {
    const db = new AttachDB({ log });
    expectTypeOf(db.get()).resolves.toEqualTypeOf<Record<string, AttachRequest>>();
    expectTypeOf(db.add).parameter(1).toEqualTypeOf<AttachRequest | AttachRequestFields>();
    interface Mine {
      volume: string;
      rights: 1 | 2;
    }
    expectTypeOf<Mine>().toExtend<Parameters<typeof db.add>[1]>();
    expectTypeOf(new SPLockedJSONDB<number>('f').get()).resolves.toEqualTypeOf<Record<string, number>>();
    expectTypeOf(new SPLockedJSONDB('f').get()).resolves.toEqualTypeOf<Record<string, unknown>>();
  });
});

describe('a reassignment', () => {
  test('names a volume or a snapshot, never both', () => {
    expectTypeOf<{ volume: 'v'; rw: [1] }>().toExtend<ReassignEntry>();
    expectTypeOf<{ snapshot: 's'; ro: [1] }>().toExtend<ReassignEntry>();
    expectTypeOf<{ volume: 'v'; snapshot: 's'; ro: [1] }>().not.toExtend<ReassignEntry>();
    expectTypeOf<{ ro: [1] }>().not.toExtend<ReassignEntry>();
  });

  test('never has a snapshot read/write', () => {
    expectTypeOf<{ snapshot: 's'; rw: [1] }>().not.toExtend<ReassignEntry>();
  });

  test('detaches from clients or from all', () => {
    expectTypeOf<{ volume: 'v'; detach: 'all'; force: true }>().toExtend<ReassignEntry>();
    expectTypeOf<{ volume: 'v'; detach: 'some' }>().not.toExtend<ReassignEntry>();
    expectTypeOf<{ volume: 'v'; detach: ['1', 2] }>().toExtend<ReassignEntry>();
  });
});

test('results are typed', () => {
  const api = new Api({ auth: '1' });
  expectTypeOf(api.attachmentsList()).resolves.toEqualTypeOf<Attachment[]>();
  expectTypeOf(api.volumesList()).resolves.toEqualTypeOf<Volume[]>();
  expectTypeOf(api.snapshotList('s')).resolves.toEqualTypeOf<Snapshot[]>();
  expectTypeOf(api.volumesReassign([])).resolves.toEqualTypeOf<ApiOk>();
  expectTypeOf<Volume['size']>().toEqualTypeOf<number | undefined>();
  expectTypeOf<Attachment['rights']>().toEqualTypeOf<'rw' | 'ro'>();
  expectTypeOf(api.volumesSpace()).resolves.toEqualTypeOf<VolumeSpace[]>();
  expectTypeOf(api.volumesSpace({ allClusters: true })).resolves.toEqualTypeOf<AllClusters<VolumeSpace[]>>();
  expectTypeOf(api.volumesGetStatus()).resolves.toEqualTypeOf<Record<string, VolumeDataStatus>>();
  expectTypeOf(api.tasksList()).resolves.toEqualTypeOf<Task[]>();
  expectTypeOf(api.call('GET', 'x')).resolves.toBeUnknown();
});

test('an operation that has ended is typed in a subscriber', () => {
  const none = { start() {}, end() {}, asyncStart() {}, error() {} };
  tracingChannel<unknown, DiagnosticsEvents['storpool:api']>('storpool:api').subscribe({
    ...none,
    asyncEnd({ path, attempt, status, duration, error }) {
      expectTypeOf(path).toEqualTypeOf<string>();
      expectTypeOf(attempt).toEqualTypeOf<number>();
      expectTypeOf(status).toEqualTypeOf<number | undefined>();
      expectTypeOf(duration).toEqualTypeOf<number | undefined>();
      expectTypeOf(error).toEqualTypeOf<unknown>();
    },
  });
});

test('status() gives a row with a verdict for each volume', () => {
  expectTypeOf(new AttachDB({ log }).status()).resolves.toEqualTypeOf<HostStatus>();
  expectTypeOf<HostStatus['volumes'][number]['verdict']>().toEqualTypeOf<Verdict>();
  expectTypeOf(VERDICTS.noDevice).toEqualTypeOf<'no device'>();
});

test('reports say what was done', () => {
  expectTypeOf(new AttachDB({ log }).sync('r')).resolves.toEqualTypeOf<SyncReport>();
  expectTypeOf<SyncReport['kept']>().toEqualTypeOf<{ volume: string; neededBy: string[] } | null>();
  expectTypeOf<SyncReport['attached'][number]['device']>().toEqualTypeOf<string | null>();
});

test('a missing setting is undefined, unless there is a fallback', () => {
  const config = new SPConfig({ overrideConfig: {} });
  expectTypeOf(config.get('A')).toEqualTypeOf<string | undefined>();
  expectTypeOf(config.get('A', 'os')).toEqualTypeOf<string>();
  expectTypeOf(config.get('A', null)).toEqualTypeOf<string | null>();
  expectTypeOf(config.require('A')).toEqualTypeOf<string>();
  expectTypeOf<{ SP_OURID: number }>().not.toExtend<
    NonNullable<ConstructorParameters<typeof SPConfig>[0]>['overrideConfig']
  >();
});

describe('AttachDBApi', () => {
  test('is mocked in three lines', () => {
    const [attachmentsList, volumesList, snapshotsList] = [async () => [], async () => [], async () => []];
    const volumesReassign = vi.fn();
    const db = new AttachDB({ log, api: { attachmentsList, volumesList, snapshotsList, volumesReassign } });
    expectTypeOf(db).toEqualTypeOf<AttachDB>();
  });

  test('an Api is one, and is what api() gives', () => {
    expectTypeOf<Api>().toExtend<AttachDBApi>();
    expectTypeOf(new AttachDB({ log }).api()).toEqualTypeOf<Api>();
  });

  test('without the call that changes the cluster it is none', () => {
    expectTypeOf<Omit<AttachDBApi, 'volumesReassign'>>().not.toExtend<AttachDBApi>();
  });
});

test('a logger must be given', () => {
  // biome-ignore lint/complexity/noBannedTypes: it is the empty options that must not do
  expectTypeOf<{}>().not.toExtend<ConstructorParameters<typeof AttachDB>[0]>();
  expectTypeOf<{ log: Console }>().toExtend<ConstructorParameters<typeof AttachDB>[0]>();
});
