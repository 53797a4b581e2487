import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import * as eventLoop from '../../../src/async/event-loop.js';
import { SPLockedFileError } from '../../../src/index.js';
import { useTempDir } from '../../lib/temp-dir.js';
import { QuietDB } from '../quiet-db.js';
import { type DiskCall, systemError, tamperWithDisk } from './tampered-disk.js';

const path = useTempDir();
let fname: string;
let mend: () => void = () => undefined;
beforeEach(() => {
  fname = path('db.json');
  // No test here is about the pause before the second look at a torn file.
  vi.spyOn(eventLoop, 'afterRealTime').mockImplementation((_ms, callback) => setTimeout(callback, 0));
});
afterEach(() => {
  mend();
  vi.restoreAllMocks();
});

const OLD = { a: 1, long: 'x'.repeat(200) };
const NEW = { ...OLD, b: 2 };

/** The file with an older copy beside it, as an earlier write has left them. */
async function prepare(): Promise<void> {
  for (const name of readdirSync(path())) {
    if (name !== 'db.json' && name !== 'db.json.backup') throw new Error(`left over: ${name}`);
  }
  writeFileSync(fname, JSON.stringify(OLD));
  writeFileSync(path('db.json.backup'), '{"older":true}');
}

/** All calls that one add() makes. */
async function callsOfAdd(): Promise<DiskCall[]> {
  await prepare();
  // What is read once in the life of a process is read now.
  await new QuietDB(fname).remove('nothing');
  await prepare();
  const calls: DiskCall[] = [];
  mend = tamperWithDisk((call) => {
    calls.push(call);
    return undefined;
  });
  await new QuietDB(fname).add('b', 2);
  mend();
  return calls;
}

async function stateNow(): Promise<'old' | 'new'> {
  const data = await new QuietDB(fname).get();
  if (JSON.stringify(data) === JSON.stringify(OLD)) return 'old';
  expect(data).toEqual(NEW);
  return 'new';
}

const cleanUp = ['db.json.lock', 'db.json.holder', 'db.json.torn.1', 'db.json.restored'];
function removeLeftovers(): void {
  for (const name of cleanUp) {
    rmSync(path(name), { recursive: true, force: true });
  }
}

describe('a fault at every single call of a write', () => {
  test.each(['ENOSPC', 'EIO', 'EACCES', 'EROFS'])('%s', async (code) => {
    const calls = await callsOfAdd();
    expect(calls.length).toBeGreaterThan(20);
    const outcomes = new Map<string, number>();
    for (const [at, call] of calls.entries()) {
      removeLeftovers();
      await prepare();
      let count = 0;
      mend = tamperWithDisk(() => {
        if (count++ === at) throw systemError(code);
        return undefined;
      });
      const db = new QuietDB(fname, { timeout: 200 });
      const error = await db.add('b', 2).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      mend();
      removeLeftovers();
      const state = await stateNow();
      const what = `${code} at ${call.name} ${call.path.replace(path(), '')}`;
      outcomes.set(
        `${error ? 'error' : 'ok'}, ${state}`,
        (outcomes.get(`${error ? 'error' : 'ok'}, ${state}`) ?? 0) + 1,
      );
      if (error === undefined) {
        expect(state, what).toBe('new');
      } else {
        expect(error, what).toBeInstanceOf(SPLockedFileError);
        const { message } = error as Error;
        expect(message, what).toContain(fname);
        if (message.includes('it still has the old content')) expect(state, what).toBe('old');
        else if (/the new content/iu.test(message)) expect(state, what).toBe('new');
        else expect(message, what).toMatch(/^Cannot (lock|read) /u);
      }
    }
    expect(outcomes.get('error, old')).toBeGreaterThan(3);
    expect(outcomes.get('ok, new')).toBeGreaterThan(3);
  });

  test('a write that writes only some of the bytes goes on with the rest', async () => {
    await prepare();
    let short = 0;
    mend = tamperWithDisk(({ name, args }) => {
      if (name !== 'file.write') return undefined;
      short++;
      const [bytes, offset, length, position] = args as [Buffer, number, number, number];
      return [bytes, offset, Math.min(length, 7), position];
    });
    await new QuietDB(fname).add('b', 2);
    mend();
    expect(short).toBeGreaterThan(40);
    expect(await stateNow()).toBe('new');
  });

  test('a read that reads only some of the bytes goes on with the rest', async () => {
    await prepare();
    mend = tamperWithDisk(({ name, args }) => {
      if (name !== 'file.read') return undefined;
      const [bytes, offset, length, position] = args as [Buffer, number, number, number];
      return [bytes, offset, Math.min(length, 7), position];
    });
    expect(await new QuietDB(fname).get()).toEqual(OLD);
  });
});

test.each(['ENOSPC', 'EIO', 'EACCES'])(
  '%s at every single call of a restore: the next one restores',
  async (code) => {
    /** A write of ours that was interrupted. */
    const tear = () => {
      for (const name of readdirSync(path())) rmSync(path(name), { recursive: true });
      writeFileSync(path('db.json.backup'), `${JSON.stringify(NEW)}\t`);
      writeFileSync(fname, '{"a":1,"lo');
    };
    let faults = 0;
    for (let at = 0, isLast = false; !isLast; at++) {
      tear();
      let count = 0;
      let what = '';
      mend = tamperWithDisk(({ name, path: where }) => {
        if (count++ !== at) return undefined;
        what = `${code} at ${name} ${where}`;
        throw systemError(code);
      });
      const found = await new QuietDB(fname, { timeout: 200 }).get().catch((error: unknown) => error);
      mend();
      isLast = count <= at;
      if (found instanceof Error) {
        faults++;
        expect(found, what).toBeInstanceOf(SPLockedFileError);
      } else expect(found, what).toEqual(NEW);
      for (const name of ['db.json.lock', 'db.json.holder'])
        rmSync(path(name), { recursive: true, force: true });
      expect(await stateNow(), what).toBe('new');
    }
    expect(faults).toBeGreaterThan(3);
  },
);

describe('a disk that breaks for good', () => {
  /** From that call on nothing can be written to the file itself. */
  const breakAt = (first: string) => {
    let broken = false;
    return ({ name, path: where }: DiskCall) => {
      broken ||= where === fname && name === first;
      if (broken && where === fname && ['file.write', 'file.truncate', 'file.datasync'].includes(name)) {
        throw systemError('EIO');
      }
      return undefined;
    };
  };

  test('while it writes in place: the new content is restored at the next access', async () => {
    await prepare();
    mend = tamperWithDisk(breakAt('file.write'));
    const attempt = new QuietDB(fname).add('b', 2);
    await expect(attempt).rejects.toMatchObject({
      code: 'EIO',
      message: expect.stringMatching(
        /the new content is in .*db\.json\.backup, and is restored at the next access/,
      ),
    });
    mend();
    expect(readFileSync(fname, 'utf8')).toBe('');
    const db = new QuietDB(fname);
    expect(await db.get()).toEqual(NEW);
    expect(db.warnings).toEqual([expect.stringContaining('restored from')]);
  });

  test('while it restores: nothing is lost, and the next one restores', async () => {
    await prepare();
    await new QuietDB(fname).add('b', 2);
    writeFileSync(fname, '{"a"');
    mend = tamperWithDisk(breakAt('file.write'));
    await expect(new QuietDB(fname).get()).rejects.toMatchObject({
      code: 'EIO',
      message: expect.stringContaining('is restored at the next access'),
    });
    mend();
    expect(await stateNow()).toBe('new');
  });

  test('without a backup: says that the file must be restored by hand', async () => {
    await prepare();
    const broken = breakAt('file.write');
    mend = tamperWithDisk((call) => {
      if (call.name === 'open' && call.path.endsWith('.backup')) throw systemError('EACCES');
      return broken(call);
    });
    const db = new QuietDB(fname);
    await expect(db.add('b', 2)).rejects.toMatchObject({
      code: 'EIO',
      message: expect.stringContaining('the old content could not be put back either'),
    });
    expect(db.warnings).toEqual([expect.stringContaining('db.json.backup')]);
  });
});

test('where the backup cannot be written, the write goes on in place, with a warning once', async () => {
  await prepare();
  mend = tamperWithDisk(({ name, path: where }) => {
    if (name === 'open' && where.endsWith('.backup')) throw systemError('EACCES');
    return undefined;
  });
  const db = new QuietDB(fname);
  await db.add('b', 2);
  await db.add('c', 3);
  expect(await db.get()).toEqual({ ...NEW, c: 3 });
  expect(db.warnings).toEqual([expect.stringMatching(/Cannot write .*db\.json\.backup: EACCES/)]);
});

test('what could not be written does not come back from the backup when the file is torn later', async () => {
  await prepare();
  let failed = false;
  mend = tamperWithDisk(({ name, path: where }) => {
    if (name === 'file.write' && where === fname && !failed) {
      failed = true;
      throw systemError('ENOSPC');
    }
    return undefined;
  });
  await expect(new QuietDB(fname).add('b', 2)).rejects.toMatchObject({
    code: 'ENOSPC',
    message: expect.stringContaining('it still has the old content'),
  });
  mend();
  writeFileSync(fname, '{"a":');
  expect(await stateNow()).toBe('old');
});
