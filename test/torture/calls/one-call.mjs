// Makes one call on a file, and says what came of it: `one-call.mjs CALL FILE`.
import { SPLockedJSONDB } from '../../../build/index.js';

const [call, fname] = process.argv.slice(2);
class QuietDB extends SPLockedJSONDB {
  warn() {}
}
const db = new QuietDB(fname);
const calls = {
  add: () => db.add('b', { volume: 'os--b', rights: 2 }),
  removeKeys: () => db.removeKeys(['a', 'c']),
  get: () => db.get(),
};
const outcome = await calls[call]().then(
  () => ({ ok: true }),
  ({ name, code, message }) => ({ ok: false, name, code, message }),
);
console.log(JSON.stringify(outcome));
