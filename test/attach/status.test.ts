import { writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ApiError, SPLockedJSONDB, VERDICTS, type VolumeStatus } from '../../src/index.js';
import { FakeStorPool } from '../../src/testing/index.js';
import { attachment, mockApi, request, settings, useAttachDB, workingApi } from '../lib/attach-db.js';

const { path, fname, make, writeCache, device } = useAttachDB();

const row = (volume: string, changes: Partial<VolumeStatus>): VolumeStatus => ({
  volume,
  snapshot: false,
  requests: [],
  wants: null,
  has: null,
  device: null,
  verdict: VERDICTS.ok,
  ...changes,
});

test('status() joins the cache, the attachments and the devices, with a row for each volume', async () => {
  writeCache({
    ok1: request('os--ok'),
    ok2: request('os--ok', { rights: 1 }),
    later: request('os--later'),
    gone: request('os--gone'),
    more: request('os--ro'),
    bare: request('os--bare', { volsnap: true, rights: 1 }),
    theirs: request('vm', { rights: 1 }),
    odd: { volume: 'os--odd', rights: 7 },
    none: 5,
  } as never);
  const attachments = ['os--ok', 'os--nobody', 'vm', 'elsewhere'].map((name) => attachment(name));
  attachments.push(attachment('os--ro', { rights: 'ro' }));
  attachments.push(attachment('os--bare', { snapshot: true, rights: 'ro' }));
  attachments.push(attachment('os--far', { client: 2 }));
  for (const name of ['os--ok', 'os--nobody', 'os--ro', 'vm']) device(name);
  const status = await make({ api: workingApi(['os--ok', 'os--later'], attachments) }).status();
  expect(status).toEqual({
    client: 1,
    prefix: 'os',
    volumes: [
      row('', { requests: ['none'], verdict: 'not a request' }),
      row('elsewhere', { has: 'rw', verdict: 'not ours: another prefix' }),
      row('os--bare', { snapshot: true, requests: ['bare'], wants: 'ro', has: 'ro', verdict: 'no device' }),
      row('os--gone', { requests: ['gone'], wants: 'rw', verdict: 'stale: not in the cluster' }),
      row('os--later', { requests: ['later'], wants: 'rw', verdict: 'not attached' }),
      row('os--nobody', { has: 'rw', device: path('dev/os--nobody'), verdict: 'attached, but no request' }),
      row('os--odd', { requests: ['odd'], verdict: 'not a request' }),
      row('os--ok', { requests: ['ok1', 'ok2'], wants: 'rw', has: 'rw', device: path('dev/os--ok') }),
      row('os--ro', {
        requests: ['more'],
        wants: 'rw',
        has: 'ro',
        device: path('dev/os--ro'),
        verdict: 'read-only, but read/write wanted',
      }),
      row('vm', {
        requests: ['theirs'],
        wants: 'ro',
        has: 'rw',
        device: path('dev/vm'),
        verdict: 'not ours: another prefix',
      }),
    ],
    problems: [
      `Request odd in ${fname()} has the rights 7 instead of 1 (read-only) or 2 (read/write); correct it or remove it`,
      `Request none in ${fname()} is not an object; correct it or remove it`,
    ],
  });
});

test('status() shows a renamed volume as what it is called now', async () => {
  await using fake = await FakeStorPool.start({ volumes: ['os--old'], deviceDir: path('dev') });
  const db = make({ overrideConfig: fake.config, deviceTimeout: 5000 });
  await db.attach('a', request('os--old'));
  await db.api().volumeUpdate('os--old', { rename: 'os--new' });
  expect((await db.status()).volumes).toMatchObject([
    { volume: 'os--new', requests: ['a'], wants: 'rw', has: 'rw' },
  ]);
});

test('status() tells a snapshot from a volume of the same name', async () => {
  writeCache({ a: request('os--v'), s: request('os--v', { volsnap: true, rights: 1 }) });
  device('os--v');
  const { volumes } = await make({ api: workingApi(['os--v'], [attachment('os--v')]) }).status();
  expect(volumes).toMatchObject([
    { snapshot: false, requests: ['a'], verdict: 'ok' },
    { snapshot: true, requests: ['s'], verdict: 'not attached' },
  ]);
});

describe('status() without an answer of the API', () => {
  test.each([
    [
      'that refuses',
      new ApiError(401, { error: { name: 'notAuthorized', descr: 'no' } }),
      'notAuthorized: no',
    ],
    ['that is down', new Error('down'), 'down'],
    ['of a mock that rejects with nothing', undefined, 'undefined'],
  ])('%s has rows all the same, and says why', async (_how, error, problem) => {
    writeCache({ a: request('os--v'), odd: {} as never });
    device('os--v');
    const api = mockApi();
    api.attachmentsList.mockRejectedValue(error);
    const { volumes, problems } = await make({ api }).status();
    expect(volumes).toEqual([
      row('', { requests: ['odd'], verdict: 'not a request' }),
      row('os--v', { requests: ['a'], wants: 'rw', device: path('dev/os--v'), verdict: '?' }),
    ]);
    expect(problems).toEqual([problem, expect.stringContaining('Request odd')]);
  });

  test('that hangs is asked for no longer than apiTimeout, and without the lock', async () => {
    writeCache({ a: request('os--v') });
    const api = mockApi();
    api.attachmentsList.mockImplementation(async () => {
      await new SPLockedJSONDB(fname()).get({ timeout: 1000 });
      return new Promise(() => undefined);
    });
    const { volumes, problems } = await make({ api, apiTimeout: 50 }).status();
    expect(volumes).toMatchObject([{ verdict: '?' }]);
    expect(problems).toEqual([expect.stringMatching(/did not answer attachmentsList within 50 ms/)]);
  });

  test('to whether a volume exists leaves that open', async () => {
    writeCache({ a: request('os--v') });
    const api = mockApi();
    api.volumeList.mockRejectedValue(new Error('down'));
    expect(await make({ api }).status()).toMatchObject({
      volumes: [{ has: null, verdict: '?' }],
      problems: ['down'],
    });
  });

  test('ends with its signal', async () => {
    const controller = new AbortController();
    const api = mockApi();
    api.attachmentsList.mockImplementation(async () => {
      controller.abort(new Error('enough'));
      return new Promise(() => undefined);
    });
    await expect(make({ api }).status({ signal: controller.signal })).rejects.toThrow('enough');
  });
});

test('status() throws what keeps it from reading the cache or the configuration', async () => {
  const { SP_OURID, ...rest } = settings;
  await expect(make({ overrideConfig: rest }).status()).rejects.toMatchObject({ code: 'ENOCLIENTID' });
  await expect(make({ overrideConfig: { SP_OURID: '1' } }).status()).rejects.toThrow(
    /SP_AUTH_TOKEN is not set/,
  );
  writeFileSync(fname(), '{"a": ');
  await expect(make({ api: mockApi() }).status()).rejects.toMatchObject({ code: 'ECORRUPT' });
});
