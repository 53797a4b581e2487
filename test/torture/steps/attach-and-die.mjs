// Attaches or detaches one volume, and is killed at a certain call of the disk: `attach-and-die.mjs CALL AT CACHE CONFIG DEVICES`.
import { AttachDB } from '../../../build/index.js';
import { disk } from '../../../build/store/disk.js';

const [call, at, fname, config, deviceDir] = process.argv.slice(2);
let count = 0;
for (const [name, real] of Object.entries(disk)) {
  disk[name] = (...args) => {
    if (count++ === Number(at)) process.kill(process.pid, 'SIGKILL');
    return real(...args);
  };
}

const db = new AttachDB({
  log: { warn: () => undefined },
  fname,
  overrideConfig: JSON.parse(config),
  deviceDir,
  deviceTimeout: 5000,
});
if (call === 'attach') await db.attach('a', { volume: 'os--v', rights: 2 });
else await db.detach('a');
console.log(count);
