// Does with the installed package what a user's first program would.
const { mkdtemp, rm, writeFile } = require('node:fs/promises');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const assert = require('node:assert/strict');

module.exports = async function use(how, { AttachDB }, { FakeStorPool }) {
  const root = await mkdtemp(join(tmpdir(), 'storpool-package-'));
  const fake = await FakeStorPool.start({ volumes: ['os--volume-1'], deviceDir: join(root, 'dev') });
  try {
    const fname = join(root, 'openstack-attach.json');
    await writeFile(fname, '{}');
    const db = new AttachDB({
      log: console,
      fname,
      overrideConfig: fake.config,
      deviceDir: join(root, 'dev'),
    });
    const { device } = await db.attach('r1', { volume: db.volumeName('1'), rights: 2 });
    assert.equal(device, join(root, 'dev', 'os--volume-1'));
    assert.equal((await db.detach('r1')).outcome, 'detached');
    assert.deepEqual(Object.keys(await db.get()), []);
  } finally {
    await fake.close();
    await rm(root, { recursive: true });
  }
  console.log(`Node.js ${process.versions.node}, ${how}: works`);
};
