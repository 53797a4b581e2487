import { AttachDB, AttachError, type Attached } from 'storpool-spopenstack';
import { FakeStorPool } from 'storpool-spopenstack/testing';

export async function connect(fname: string): Promise<Attached> {
  await using fake = await FakeStorPool.start({ volumes: ['os--volume-1'] });
  const db = new AttachDB({ log: console, fname, overrideConfig: fake.config, deviceTimeout: 0 });
  try {
    return await db.attach('r1', { volume: db.volumeName('1'), rights: 2 });
  } catch (error) {
    if (error instanceof AttachError && error.code === 'ENODEVICE') await db.detach('r1');
    throw error;
  }
}

// @ts-expect-error Rights are 1 or 2.
new AttachDB({ log: console }).attach('r1', { volume: 'v', rights: 3 });
