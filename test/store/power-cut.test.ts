import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { DiskModel, type State } from './power-cut.js';
import { fname, make, mend, type QuietDB, tamper, useLockedFile } from './quiet-db.js';
import type { DiskCall } from './tampered-disk.js';

const path = useLockedFile();

const OLD = { a: 1, b: 'the old content' };
const NEW = { ...OLD, c: 'and something more' };

function lay(state: State | Map<string, string>): void {
  for (const name of readdirSync(path())) rmSync(path(name), { recursive: true });
  // The journal first, as it is always written.
  const files = [...state].sort(([a]) => (a.endsWith('.backup') ? -1 : 1));
  for (const [name, content] of files) writeFileSync(path(name), content);
}

/** What the store does with the files that matter, in order; the last entry is the end of the call. */
async function traceOf(files: Record<string, string>, change: (db: QuietDB) => Promise<unknown>) {
  lay(new Map(Object.entries(files)));
  const calls: DiskCall[] = [];
  tamper((call) => {
    if (!call.path.endsWith('.lock')) calls.push(call);
    return undefined;
  });
  await change(make());
  mend();
  return calls;
}

/** What is found after each state: many calls change nothing that a power cut could leave. */
const recovered = new Map<string, unknown>();

async function recover(state: State): Promise<unknown> {
  const key = JSON.stringify([...state].sort());
  if (!recovered.has(key)) {
    lay(state);
    recovered.set(key, await make().get());
  }
  return recovered.get(key);
}

const before: Record<string, Record<string, string>> = {
  'no journal': { 'db.json': JSON.stringify(OLD) },
  'an older journal': { 'db.json': JSON.stringify(OLD), 'db.json.backup': '{"much":"older"}\n' },
  'the journal of the last write': {
    'db.json': JSON.stringify(OLD),
    'db.json.backup': `${JSON.stringify(OLD)}\n`,
  },
  'a journal that is torn': { 'db.json': JSON.stringify(OLD), 'db.json.backup': '{"a":1,"b' },
  'a journal under way, of what was never written': {
    'db.json': JSON.stringify(OLD),
    'db.json.backup': '{"a":1,"x":"never written"}\t',
  },
  'a journal without a mark, of an earlier version': {
    'db.json': JSON.stringify(OLD),
    'db.json.backup': JSON.stringify(OLD),
  },
};

const changes: [string, (db: QuietDB) => Promise<void>, object][] = [
  ['longer', (db) => db.add('c', NEW.c), NEW],
  ['shorter', (db) => db.remove('b'), { a: 1 }],
];

describe.each(changes)(
  'a power cut at any moment of a write of something %s leaves the old content or the new',
  (_kind, change, after) => {
    test.each(Object.entries(before))('beginning with %s', async (_name, files) => {
      const calls = await traceOf(files, change);
      const model = new DiskModel(files);
      let states = 0;
      let torn = 0;
      for (const [done, call] of [...calls, undefined].entries()) {
        for (const state of model.states()) {
          states++;
          const content = state.get('db.json')?.toString() ?? '';
          if (content !== JSON.stringify(OLD) && content !== JSON.stringify(after)) torn++;
          const found = await recover(state);
          const what = `after ${done} of ${calls.length} calls, ${[...state].map(([name, bytes]) => `${name}: ${bytes}`).join(', ')}`;
          expect([OLD, after], what).toContainEqual(found);
          // What was acknowledged stays.
          if (call === undefined) expect(found, what).toEqual(after);
        }
        if (call !== undefined) model.apply(call);
      }
      expect(states).toBeGreaterThan(20);
      expect(torn).toBeGreaterThan(2);
    });
  },
);

test('a power cut while a write is finished leaves it to be finished', async () => {
  const files = { 'db.json': '{"a":1,"b', 'db.json.backup': `${JSON.stringify(OLD)}\t` };
  const calls = await traceOf(files, (db) => db.get());
  const model = new DiskModel(files);
  let states = 0;
  for (const call of [...calls, undefined]) {
    for (const state of model.states()) {
      states++;
      expect(await recover(state)).toEqual(OLD);
    }
    if (call !== undefined) model.apply(call);
  }
  expect(states).toBeGreaterThan(10);
});

test('the model can fail: without the journal the same cuts lose both contents', async () => {
  const files = { 'db.json': JSON.stringify(OLD) };
  const calls = await traceOf(files, (db) => db.add('c', NEW.c));
  const model = new DiskModel(files);
  let lost = 0;
  for (const call of calls.filter(({ path: where }) => where === fname)) {
    model.apply(call);
    for (const state of model.states()) {
      await recover(state).catch(() => lost++);
    }
  }
  expect(lost).toBeGreaterThan(0);
});
