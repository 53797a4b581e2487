import { expect, test } from 'vitest';
import { FakeStorPool } from '../../src/testing/index.js';
import { client } from './fake.js';

// Looking through all volumes for each one takes minutes here; finding them by name takes a second at most.
test('a cluster of 100,000 volumes, all of them attached', async () => {
  const volumes = Array.from({ length: 100_000 }, (_, at) => `v${at}`);
  const attachments = volumes.map((volume, at) => ({ volume, client: 1 + (at % 2) }));
  await using fake = await FakeStorPool.start({ volumes, attachments });
  const api = client(fake);
  await api.volumesReassign([{ volume: 'v99999', detach: 'all' }]);
  await api.volumeUpdate('v99999', { rename: 'last' });
  expect((await api.volumeList('last'))[0]?.name).toBe('last');
  expect(fake.attachments).toHaveLength(99_999);
  expect(fake.attachments.at(-1)).toMatchObject({ volume: 'v99998', client: 1, pos: 49_999 });
}, 20_000);
