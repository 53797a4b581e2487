// Whoever cannot get the lock is told what its holder is doing.
import { expect, test } from 'vitest';
import { mockApi, request, useAttachDB, workingApi } from '../lib/attach-db.js';

const { make } = useAttachDB();

test.each(['attach', 'detach', 'sync'] as const)('%s() of another object keeps the lock', async (call) => {
  const api = workingApi(['os--v']);
  const db = make({ api, deviceTimeout: 0 });
  await db.add('r1', request('os--v'));
  let waiting: Promise<unknown> = Promise.resolve();
  api.attachmentsList.mockImplementationOnce(async () => {
    // As another process, which has no queue in common with this one.
    const { describeHolder } = await import('../../src/store/lock/lock-errors.js');
    waiting = Promise.resolve(describeHolder(db.fname));
    return [];
  });
  await (call === 'attach' ? db.attach('r1', request('os--v')) : db[call]('r1')).catch(() => undefined);
  expect(await waiting).toMatch(new RegExp(`made by process ${process.pid} .* for ${call}\\(r1\\)$`, 'u'));
});

test('withLock() may say what it is for', async () => {
  const db = make({ api: mockApi() });
  const { describeHolder } = await import('../../src/store/lock/lock-errors.js');
  await db.withLock(() => expect(describeHolder(db.fname)).toMatch(/for a rebuild of the cache$/), {
    purpose: 'a rebuild of the cache',
  });
  await db.withLock(() => expect(describeHolder(db.fname)).toMatch(/Z$/));
});
