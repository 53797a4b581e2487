// TypeScript 5.6 takes require() of an ES module for an error (TS1479; since 5.8 it is none with module nodenext),
// though each Node.js that we support does it. What it types is import(), and types alone.
import type { AttachDB, Attached } from 'storpool-spopenstack' with { 'resolution-mode': 'import' };

export async function connect(fname: string): Promise<Attached> {
  const { AttachDB: Attachments } = await import('storpool-spopenstack');
  const { FakeStorPool } = await import('storpool-spopenstack/testing');
  const fake = await FakeStorPool.start({ volumes: ['os--volume-1'] });
  try {
    const db: AttachDB = new Attachments({
      log: console,
      fname,
      overrideConfig: fake.config,
      deviceTimeout: 0,
    });
    return await db.attach('r1', { volume: db.volumeName('1'), rights: 2 });
  } finally {
    await fake.close();
  }
}
