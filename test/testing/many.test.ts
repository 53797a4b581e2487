import { expect, test } from 'vitest';
import { FakeStorPool } from '../../src/testing/index.js';
import { client } from './fake.js';

// Looking through all volumes for each one takes a minute here; finding them by name takes a part of a second.
test('a cluster of 30,000 volumes, all of them attached', async () => {
  const volumes = Array.from({ length: 30_000 }, (_, at) => `v${at}`);
  const attachments = volumes.map((volume, at) => ({ volume, client: 1 + (at % 2) }));
  await using fake = await FakeStorPool.start({ volumes, attachments });
  const api = client(fake);
  await api.volumesReassign([{ volume: 'v29999', detach: 'all' }]);
  await api.volumeUpdate('v29999', { rename: 'last' });
  expect((await api.volumeList('last'))[0]?.name).toBe('last');
  expect(fake.attachments).toHaveLength(29_999);
  expect(fake.attachments.at(-1)).toMatchObject({ volume: 'v29998', client: 1, pos: 14_999 });
}, 20_000);
