import { describe, expect, test } from 'vitest';
import { ApiError, type AttachDBApi, AttachError } from '../../src/index.js';
import { attachment, mockApi, request, useAttachDB } from '../lib/attach-db.js';

const { make, device, writeCache } = useAttachDB();
const requestsFor = (names: readonly string[]) =>
  Object.fromEntries(names.map((name) => [`r${name}`, request(name)]));

describe('what is read', () => {
  test('nothing for a request that is unknown', async () => {
    const api = mockApi();
    const db = make({ api });
    await expect(db.sync('a')).rejects.toThrow(AttachError);
    await db.sync('a', 'os--v');
    await expect(db.sync('__proto__')).rejects.toMatchObject({ code: 'EUNKNOWNREQUEST' });
    expect(api.attachmentsList).not.toHaveBeenCalled();
  });

  test('only the attachments when all is attached', async () => {
    const api = mockApi();
    api.attachmentsList.mockResolvedValue([attachment('os--v')]);
    device('os--v');
    const db = make({ api });
    await db.add('a', request('os--v'));
    expect(await db.sync('a')).toMatchObject({ attached: [] });
    expect(api.volumeList).not.toHaveBeenCalled();
    expect(api.volumesReassign).not.toHaveBeenCalled();
  });

  test('with a mock that lacks what is not needed', async () => {
    const { attachmentsList, volumeList, volumesReassign } = mockApi();
    const api = { attachmentsList, volumeList, volumesReassign } as unknown as AttachDBApi;
    const db = make({ api });
    await db.add('a', request('os--v'));
    expect(await db.sync('a')).toMatchObject({ attached: [{ volume: 'os--v' }] });
    await db.add('s', request('os--s', { volsnap: true, rights: 1 }));
    await expect(db.sync('s')).rejects.toThrow('snapshotsList is not a function');
  });

  test('with a mock that lacks what is needed to attach', async () => {
    const { attachmentsList, volumeList } = mockApi();
    const db = make({ api: { attachmentsList, volumeList } as unknown as AttachDBApi });
    await expect(db.attach('a', request('os--v'))).rejects.toThrow(
      'api.volumesReassign is not a function: give the mock each call that AttachDB makes',
    );
  });

  test.each([[undefined], [null], ['no error']])('with a mock that rejects with %s', async (reason) => {
    const api = mockApi();
    api.attachmentsList.mockRejectedValue(reason);
    const failed = await make({ api })
      .attach('a', request('os--v'))
      .catch((error: unknown) => [error]);
    expect(failed).toEqual([reason]);
  });

  test.for(['attachmentsList', 'volumeList'] as const)('with a mock whose %s has no result', async (call) => {
    const api = mockApi();
    api[call].mockImplementation(() => undefined as never);
    await expect(make({ api }).attach('a', request('os--v'))).rejects.toThrow(
      `api.${call}() resolved to undefined, not to a list`,
    );
    expect(api.volumesReassign).not.toHaveBeenCalled();
  });

  test('with a mock that throws before it gives a promise', async () => {
    const api = mockApi();
    api.volumeList.mockImplementation(() => {
      throw new ApiError(404, { error: { name: 'objectDoesNotExist' } });
    });
    await expect(make({ api }).attach('a', request('os--v'))).rejects.toMatchObject({ code: 'ENOVOLUME' });
  });

  test('the whole list for many, without asking for names that cannot be', async () => {
    const api = mockApi();
    const names = Array.from({ length: 80 }, (_, at) => `os--${at}`);
    api.volumesList.mockResolvedValue(names.map((name) => ({ name })));
    writeCache(requestsFor([...names, 'os--../etc', 'os--a/b']));
    const { attached, staleRequests } = await make({ api }).sync('ros--1');
    expect(attached).toHaveLength(80);
    expect(staleRequests).toEqual(['ros--../etc', 'ros--a/b']);
    expect(api.volumesList).toHaveBeenCalledOnce();
    expect(api.volumeList).not.toHaveBeenCalled();
  });

  test('by name for some dozens, a few at a time', async () => {
    const api = mockApi();
    let now = 0;
    let most = 0;
    api.volumeList.mockImplementation(async (name) => {
      most = Math.max(most, ++now);
      await new Promise((resolve) => setTimeout(resolve, 1));
      now--;
      return name === 'os--7' ? [] : [{ name }];
    });
    writeCache(requestsFor(Array.from({ length: 40 }, (_, at) => `os--${at}`)));
    const { attached, staleRequests } = await make({ api }).sync('ros--1');
    expect(attached).toHaveLength(39);
    expect(staleRequests).toEqual(['ros--7']);
    expect(most).toBe(16);
    expect(api.volumesList).not.toHaveBeenCalled();
  });
});
