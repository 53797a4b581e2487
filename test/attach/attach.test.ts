// attach(): a request into the cache, its volume to this host, and the device.
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { ApiError, type AttachDBOptions, SPLockedJSONDB } from '../../src/index.js';
import { FakeStorPool } from '../../src/testing/index.js';
import { attachment, isOpen, mockApi, request, useAttachDB, workingApi } from '../lib/attach-db.js';

const { path, log, fname, make, cache, writeCache, device } = useAttachDB();

describe('a volume that is there', () => {
  test('is attached, and its request cached', async () => {
    const api = workingApi(['os--v']);
    device('os--v');
    expect(await make({ api }).attach('a', request('os--v'))).toEqual({
      volume: 'os--v',
      snapshot: false,
      rights: 2,
      device: path('dev/os--v'),
      globalId: null,
      deviceById: null,
      alreadyAttached: false,
    });
    expect(api.volumesReassign.mock.calls).toEqual([[[{ volume: 'os--v', rw: [1] }]]]);
    expect(cache()).toMatchObject({ a: request('os--v') });
    expect(log.warn).not.toHaveBeenCalled();
  });

  test('a snapshot', async () => {
    const api = workingApi(['os--s']);
    device('os--s');
    const attached = await make({ api }).attach('a', request('os--s', { rights: 1, volsnap: true }));
    expect(attached).toMatchObject({ volume: 'os--s', snapshot: true, rights: 1 });
    expect(api.volumesReassign.mock.calls).toEqual([[[{ snapshot: 'os--s', ro: [1] }]]]);
    expect(api.volumeList).not.toHaveBeenCalled();
  });

  test.each([
    ['rw', 2, true],
    ['rw', 1, true],
    ['ro', 1, true],
    ['ro', 2, false],
  ] as const)(
    'attached %s and wanted with the rights %d: already attached: %s',
    async (has, rights, expected) => {
      const api = workingApi(['os--v'], [attachment('os--v', { rights: has })]);
      device('os--v');
      const attached = await make({ api }).attach('a', request('os--v', { rights }));
      expect(attached.alreadyAttached).toBe(expected);
      expect(api.volumesReassign).toHaveBeenCalledTimes(expected ? 0 : 1);
      expect(cache()).toMatchObject({ a: { volume: 'os--v', rights } });
    },
  );

  test('takes two round trips: what there is, side by side, and the change', async () => {
    await using fake = await FakeStorPool.start({ volumes: ['os--v'], deviceDir: path('dev') });
    await make({ overrideConfig: fake.config }).attach('a', request('os--v'));
    const paths = fake.requests.map((one) => one.path);
    expect(paths.slice(0, 2).sort()).toEqual(['/ctrl/1.0/AttachmentsList', '/ctrl/1.0/Volume/os--v']);
    expect(paths.slice(2)).toEqual(['/ctrl/1.0/VolumesReassign']);

    const api = workingApi(['os--w']);
    device('os--w');
    let underWay = 0;
    let most = 0;
    const counted = async <T>(value: T) => {
      most = Math.max(most, ++underWay);
      await sleep(5);
      underWay--;
      return value;
    };
    api.attachmentsList.mockImplementation(() => counted([]));
    api.volumeList.mockImplementation((name) => counted([{ name }]));
    await make({ api }).attach('b', request('os--w'));
    expect(most).toBe(2);
  });

  test('of other requests nothing is attached, and nonsense in them does not stop it', async () => {
    writeCache({ b: request('os--w'), nonsense: 5, odd: { rights: 7 } } as never);
    const api = workingApi(['os--v', 'os--w']);
    device('os--v');
    await make({ api }).attach('a', request('os--v'));
    expect(api.volumesReassign.mock.calls).toEqual([[[{ volume: 'os--v', rw: [1] }]]]);
    expect(Object.keys(cache())).toEqual(['b', 'nonsense', 'odd', 'a']);
  });
});

describe('the device', () => {
  test('is waited for without the lock', async () => {
    const db = make({ api: workingApi(['os--v']), deviceTimeout: 10_000 });
    setTimeout(async () => {
      await new SPLockedJSONDB(fname()).add('free', true);
      device('os--v');
    }, 20);
    await db.attach('a', request('os--v'));
    expect(cache()).toHaveProperty('free');
  });

  test('that never comes is an error; the request is cached, so that detach() takes it back', async () => {
    const api = workingApi(['os--v']);
    const db = make({ api });
    await expect(db.attach('a', request('os--v'))).rejects.toMatchObject({
      name: 'AttachError',
      code: 'ENODEVICE',
      message: expect.stringMatching(
        /^os--v is attached, but .*dev\/os--v did not appear within 20 ms; .* detach\("a"\) undoes the attachment$/,
      ),
    });
    expect(cache()).toHaveProperty('a');
    expect(await db.detach('a')).toMatchObject({ outcome: 'detached' });
    expect(api.attachments).toEqual([]);
    expect(cache()).toEqual({});
  });
});

describe('is refused, and nothing is done,', () => {
  test('for a volume that the cluster does not have', async () => {
    const api = workingApi([]);
    const db = make({ api });
    await expect(db.attach('a', request('os--gone'))).rejects.toMatchObject({
      name: 'AttachError',
      code: 'ENOVOLUME',
      message: expect.stringMatching(/no volume os--gone.*request a/),
    });
    expect(cache()).toEqual({});
    await db.add('a', request('os--gone'));
    await expect(db.attach('a', request('os--gone'))).rejects.toMatchObject({ code: 'ENOVOLUME' });
    expect(cache()).toEqual({});
    await expect(db.attach('a', request('os--gone', { volsnap: true, rights: 1 }))).rejects.toThrow(
      /no snapshot os--gone/,
    );
  });

  test.each([
    [
      'a volume outside of the prefix',
      request('vm-1'),
      'EBADREQUEST',
      /vm-1, whose name does not begin with os/,
    ],
    ['a snapshot read/write', request('os--s', { volsnap: true }), 'ESNAPSHOTRW', /os--s cannot be attached/],
    ['no volume', { rights: 2 } as never, 'EBADREQUEST', /names no volume/],
    ['rights that are none', request('os--v', { rights: 3 as never }), 'EBADREQUEST', /has the rights 3/],
  ])('for %s', async (_what, wrong, code, message) => {
    const api = mockApi();
    await expect(make({ api }).attach('a', wrong)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
    expect(api.attachmentsList).not.toHaveBeenCalled();
    expect(cache()).toEqual({});
  });

  test('for a request ID that is cached for another volume, which could then never be taken back', async () => {
    writeCache({ a: request('os--v') });
    const api = workingApi(['os--v', 'os--w']);
    await expect(make({ api }).attach('a', request('os--w'))).rejects.toMatchObject({
      code: 'EBADREQUEST',
      message: expect.stringMatching(/Request a is for os--v in .*, not for os--w: detach\("a"\) first/),
    });
    expect(cache()).toMatchObject({ a: request('os--v') });
    expect(api.volumesReassign).not.toHaveBeenCalled();
  });

  test('with a signal that is aborted', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    const api = mockApi();
    await expect(make({ api }).attach('a', request('os--v'), { signal })).rejects.toThrow('enough');
    expect(api.attachmentsList).not.toHaveBeenCalled();
  });
});

test('attach() asks first and writes second: what fails before leaves the cache as it was', async () => {
  const api = workingApi(['os--v']);
  const db = make({ api });
  for (const name of ['attachmentsList', 'volumeList'] as const) {
    api[name].mockImplementationOnce(async () => {
      expect(cache()).toEqual({});
      throw new ApiError(500, { error: { name: 'oops', descr: 'not today' } });
    });
    await expect(db.attach('a', request('os--v'))).rejects.toMatchObject({ code: 'oops' });
    expect(cache()).toEqual({});
  }
  api.volumesReassign.mockImplementationOnce(async () => {
    expect(cache()).toHaveProperty('a');
    throw isOpen();
  });
  await expect(db.attach('a', request('os--v'))).rejects.toMatchObject({ code: 'busy' });
  // A request that was there before stays, whatever fails.
  api.attachmentsList.mockRejectedValueOnce(new ApiError(500, { error: { name: 'oops' } }));
  await expect(db.attach('a', request('os--v'))).rejects.toMatchObject({ code: 'oops' });
  expect(cache()).toHaveProperty('a');
});

test.each<[string, (fake: FakeStorPool) => Partial<AttachDBOptions>]>([
  ['the API', (fake) => ({ overrideConfig: fake.config })],
  ['a port where nobody listens', () => ({ apiOptions: { port: 1, transientRetries: 0 } })],
  [
    'a mock',
    () => ({ api: { ...workingApi(['os--v']), volumesReassign: async () => Promise.reject(isOpen()) } }),
  ],
])('an error of %s has attach() and its caller in its stack trace', async (_where, options) => {
  await using fake = await FakeStorPool.start({ volumes: ['os--v'] });
  fake.failNext('volumesReassign', { name: 'oops' });
  const db = make(options(fake));
  const theCaller = async () => {
    await db.attach('a', request('os--v'));
  };
  const error: Error = await theCaller().catch((reason) => reason);
  expect(error.stack).toMatch(/AttachDB\.attach [\s\S]*theCaller/);
  expect(error.stack?.match(/theCaller/g)).toHaveLength(1);
});

test('many at once in one process, in the order in which they were called', async () => {
  const names = Array.from({ length: 20 }, (_, nr) => `os--${nr}`);
  const api = workingApi(names);
  const db = make({ api });
  for (const name of names) device(name);
  const attached = await Promise.all(names.map((name) => db.attach(name, request(name))));
  expect(attached.map(({ volume }) => volume)).toEqual(names);
  expect(Object.keys(cache())).toEqual(names);
});

test('inside of withLock() it joins that hold', async () => {
  const db = make({ api: workingApi(['os--v']) });
  device('os--v');
  await db.withLock(async () => {
    await db.attach('a', request('os--v'));
    expect(await db.detach('a')).toMatchObject({ outcome: 'detached' });
  });
  expect(cache()).toEqual({});
});

test('a request for a snapshot is not replaced by one for a volume of the same name', async () => {
  writeCache({ a: request('os--v', { volsnap: true, rights: 1 }) });
  await expect(make({ api: workingApi(['os--v']) }).attach('a', request('os--v'))).rejects.toMatchObject({
    code: 'EBADREQUEST',
  });
  expect(cache()).toMatchObject({ a: { volsnap: true } });
});

test('a device that vanished of a volume that was attached before: nobody is told to detach it', async () => {
  const api = workingApi(['os--v'], [attachment('os--v')]);
  await expect(make({ api }).attach('a', request('os--v'))).rejects.toMatchObject({
    code: 'ENODEVICE',
    message: expect.stringMatching(/It was attached before this call, so it may be in use$/),
  });
});

test('a volume that is attached is not taken for the snapshot of the same name', async () => {
  const api = workingApi(['os--v'], [attachment('os--v')]);
  api.snapshotList.mockResolvedValue([{ name: 'os--v' }]);
  device('os--v');
  const db = make({ api });
  expect(await db.attach('a', request('os--v', { volsnap: true, rights: 1 }))).toMatchObject({
    alreadyAttached: false,
  });
  expect(api.volumesReassign.mock.calls).toEqual([[[{ snapshot: 'os--v', ro: [1] }]]]);
});
