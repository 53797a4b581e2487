import { describe, expect, test } from 'vitest';
import { isOpen, mockApi, request, useAttachDB } from '../lib/attach-db.js';

const { make } = useAttachDB();

describe('an AbortSignal', () => {
  const stop = new Error('shutting down');

  test('ends the wait for the lock', async () => {
    const db = make({ api: mockApi() });
    await db.withLock(async () => {
      const other = make({ api: mockApi() });
      await expect(other.sync('a', null, { signal: AbortSignal.timeout(20) })).rejects.toMatchObject({
        name: 'TimeoutError',
      });
    });
  });

  test('goes to every call of the api, and ends the wait between the attempts', async () => {
    const api = mockApi();
    api.attachmentsList.mockResolvedValue([{ volume: 'os--v', snapshot: false, client: 1, rights: 'rw' }]);
    const controller = new AbortController();
    const { signal } = controller;
    const db = make({ api, detachRetryDelay: 60_000 });
    await db.add('a', request('os--v'));
    await db.add('b', request('os--w'));
    api.volumesReassign.mockImplementation(async ([entry]) => {
      if (entry?.detach) {
        setTimeout(() => controller.abort(stop), 10);
        throw isOpen();
      }
    });
    await expect(db.sync('a', 'os--v', { signal })).rejects.toBe(stop);
    expect(api.attachmentsList).toHaveBeenCalledWith({ signal });
    expect(api.volumeList).toHaveBeenCalledWith('os--w', { signal });
    expect(api.volumesReassign).toHaveBeenCalledWith([{ volume: 'os--w', rw: [1] }], { signal });
  });

  test('ends the wait for devices', async () => {
    const db = make({ api: mockApi(), deviceTimeout: 60_000 });
    await db.add('a', request('os--v'));
    const controller = new AbortController();
    setTimeout(() => controller.abort(stop), 50);
    await expect(db.sync('a', null, { signal: controller.signal })).rejects.toBe(stop);
  });
});
