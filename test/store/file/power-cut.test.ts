import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { SPLockedJSONDB } from '../../../src/index.js';
import { useTempDir } from '../../lib/temp-dir.js';
import { DiskModel, type State } from './power-cut.js';
import { type DiskCall, tamperWithDisk } from './tampered-disk.js';

const path = useTempDir();
let mend: () => void = () => undefined;
afterEach(() => mend());

class QuietDB extends SPLockedJSONDB {
  protected override warn(): void {}
}

const OLD = { a: 1, b: 'the old content' };
const NEW = { ...OLD, c: 'and something more' };

function lay(state: State | Map<string, string>): void {
  for (const name of readdirSync(path())) rmSync(path(name), { recursive: true });
  for (const [name, content] of state) writeFileSync(path(name), content);
}

/** What the store does with the files that matter, in order; the last entry is the end of the call. */
async function traceOf(files: Record<string, string>, change: (db: QuietDB) => Promise<unknown>) {
  lay(new Map(Object.entries(files)));
  const calls: DiskCall[] = [];
  mend = tamperWithDisk((call) => {
    if (!/\.(?:lock|holder)$|^\/proc/u.test(call.path)) calls.push(call);
    return undefined;
  });
  await change(new QuietDB(path('db.json')));
  mend();
  return calls;
}

async function recover(): Promise<unknown> {
  return new QuietDB(path('db.json')).get();
}

const before: Record<string, Record<string, string>> = {
  'no backup': { 'db.json': JSON.stringify(OLD) },
  'an older backup': { 'db.json': JSON.stringify(OLD), 'db.json.backup': '{"much":"older"}' },
  'the backup of the last write': { 'db.json': JSON.stringify(OLD), 'db.json.backup': JSON.stringify(OLD) },
  'a temporary file of a killed process': { 'db.json': JSON.stringify(OLD), 'db.json.backup.tmp': '{"ki' },
};

describe('a power cut at any moment of a write leaves the old content or the new', () => {
  test.each(Object.entries(before))('beginning with %s', async (_name, files) => {
    const calls = await traceOf(files, (db) => db.add('c', NEW.c));
    const model = new DiskModel(files);
    let states = 0;
    let torn = 0;
    for (const [done, call] of [...calls, undefined].entries()) {
      for (const state of model.states()) {
        lay(state);
        states++;
        const text = state.get('db.json')?.toString() ?? '';
        if (text !== JSON.stringify(OLD) && text !== JSON.stringify(NEW)) torn++;
        const found = await recover();
        const what = `after ${done} of ${calls.length} calls, ${[...state].map(([name, bytes]) => `${name}: ${bytes}`).join(', ')}`;
        expect([OLD, NEW], what).toContainEqual(found);
        // What was acknowledged stays.
        if (call === undefined) expect(found, what).toEqual(NEW);
      }
      if (call !== undefined) model.apply(call);
    }
    expect(states).toBeGreaterThan(30);
    expect(torn).toBeGreaterThan(2);
  });
});

test('a power cut while a torn file is restored leaves it restorable', async () => {
  const files = { 'db.json': '{"a":1,"b', 'db.json.backup': JSON.stringify(OLD) };
  const calls = await traceOf(files, (db) => db.get());
  const model = new DiskModel(files);
  for (const call of calls) {
    for (const state of model.states()) {
      lay(state);
      expect(await recover()).toEqual(OLD);
    }
    model.apply(call);
  }
});

test('the model can fail: without the backup the same cuts lose both contents', async () => {
  const files = { 'db.json': JSON.stringify(OLD) };
  const calls = await traceOf(files, (db) => db.add('c', NEW.c));
  const model = new DiskModel(files);
  let lost = 0;
  for (const call of calls.filter(({ path: where }) => where.endsWith('db.json'))) {
    model.apply(call);
    for (const state of model.states()) {
      lay(state);
      await recover().catch(() => lost++);
    }
  }
  expect(lost).toBeGreaterThan(0);
});
