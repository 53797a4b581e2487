import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { SPLockedFileError } from '../../src/index.js';
import { OPEN } from '../../src/store/disk.js';
import { fname, make, mend, tamper, useLockedFile } from './quiet-db.js';
import { type DiskCall, systemError } from './tampered-disk.js';

const path = useLockedFile();

const OLD = { a: 1, long: 'x'.repeat(200) };
const NEW = { ...OLD, b: 2 };

/** The file with an older copy beside it, as an earlier write has left them. */
async function prepare(): Promise<void> {
  for (const name of readdirSync(path())) {
    if (name !== 'db.json' && name !== 'db.json.backup') throw new Error(`left over: ${name}`);
  }
  writeFileSync(fname, JSON.stringify(OLD));
  writeFileSync(path('db.json.backup'), '{"older":true}\n');
}

/** All calls that one add() makes. */
async function callsOfAdd(): Promise<DiskCall[]> {
  await prepare();
  // What is read once in the life of a process is read now.
  await make().remove('nothing');
  await prepare();
  const calls: DiskCall[] = [];
  tamper((call) => {
    calls.push(call);
    return undefined;
  });
  await make().add('b', 2);
  mend();
  return calls;
}

async function stateNow(): Promise<'old' | 'new'> {
  const data = await make().get();
  if (JSON.stringify(data) === JSON.stringify(OLD)) return 'old';
  expect(data).toEqual(NEW);
  return 'new';
}

const removeLock = () => rmSync(path('db.json.lock'), { recursive: true, force: true });

describe('a fault at every single call of a write', () => {
  test.each(['ENOSPC', 'EIO', 'EACCES', 'EROFS'])('%s', async (code) => {
    const calls = await callsOfAdd();
    expect(calls.length).toBeGreaterThan(20);
    const outcomes = new Map<string, number>();
    for (const [at, call] of calls.entries()) {
      removeLock();
      await prepare();
      let count = 0;
      tamper(() => {
        if (count++ === at) throw systemError(code);
        return undefined;
      });
      const db = make({ timeout: 200 });
      const error = await db.add('b', 2).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      mend();
      removeLock();
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
        if (/still has the old content|nothing was changed/u.test(message)) expect(state, what).toBe('old');
        else expect(message, what).toMatch(/^Cannot lock /u);
      }
    }
    expect(outcomes.get('error, old')).toBeGreaterThan(3);
    expect(outcomes.get('ok, new')).toBeGreaterThan(3);
  });

  test('a write that writes only some of the bytes goes on with the rest', async () => {
    await prepare();
    let short = 0;
    tamper(({ name, args }) => {
      if (name !== 'write') return undefined;
      short++;
      const [file, bytes, offset, position] = args as [number, Buffer, number, number];
      return [file, bytes.subarray(0, offset + 7), offset, position];
    });
    await make().add('b', 2);
    mend();
    expect(short).toBeGreaterThan(40);
    expect(await stateNow()).toBe('new');
  });

  test('a read that reads only some of the bytes goes on with the rest', async () => {
    await prepare();
    tamper(({ name, args }) => {
      if (name !== 'read') return undefined;
      const [file, bytes, offset, position] = args as [number, Buffer, number, number];
      return [file, bytes.subarray(0, offset + 7), offset, position];
    });
    expect(await make().get()).toEqual(OLD);
  });
});

test.each(['ENOSPC', 'EIO', 'EACCES'])(
  '%s at every single call of finishing a write: the next one finishes it',
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
      tamper(({ name, path: where }) => {
        if (count++ !== at) return undefined;
        what = `${code} at ${name} ${where}`;
        throw systemError(code);
      });
      const found = await make({ timeout: 200 })
        .get()
        .catch((error: unknown) => error);
      mend();
      isLast = count <= at;
      if (found instanceof Error) {
        faults++;
        expect(found, what).toBeInstanceOf(SPLockedFileError);
      } else expect(found, what).toEqual(NEW);
      removeLock();
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
      if (broken && where === fname && ['write', 'truncate', 'datasync'].includes(name)) {
        throw systemError('EIO');
      }
      return undefined;
    };
  };

  test('while it writes in place: it is torn for certain, and the journal has what was to be written', async () => {
    await prepare();
    tamper(breakAt('truncate'));
    await expect(make().add('b', 2)).rejects.toMatchObject({
      code: 'EIO',
      message: expect.stringMatching(/it may be torn; "storpool-attachdb repair --file .*db\.json" mends it/),
    });
    mend();
    await expect(make().get()).rejects.toMatchObject({ code: 'ECORRUPT' });
    expect(readFileSync(path('db.json.backup'), 'utf8')).toBe(`${JSON.stringify(NEW)}\n`);
  });

  test('while it finishes a write: nothing is lost, and the next one finishes it', async () => {
    await prepare();
    await make().add('b', 2);
    writeFileSync(path('db.json.backup'), `${JSON.stringify(NEW)}\t`);
    writeFileSync(fname, '{"a"');
    tamper(breakAt('write'));
    await expect(make().get()).rejects.toMatchObject({
      code: 'EIO',
      message: expect.stringContaining('it may still be torn'),
    });
    mend();
    expect(await stateNow()).toBe('new');
  });

  test('which is read-only from now on: says that the file has the old content', async () => {
    await prepare();
    tamper(({ name, args }) => {
      if (['write', 'truncate'].includes(name) || (name === 'open' && args[1] === OPEN.toWrite)) {
        throw systemError('EROFS');
      }
      return undefined;
    });
    await expect(make().add('b', 2)).rejects.toMatchObject({
      code: 'EROFS',
      message: expect.stringContaining('it still has the old content'),
    });
    mend();
    expect(await stateNow()).toBe('old');
  });

  test('without a journal: says that it may be torn, and what mends it', async () => {
    await prepare();
    const broken = breakAt('write');
    rmSync(path('db.json.backup'));
    tamper((call) => {
      if (call.name === 'open' && call.path.endsWith('.backup') && call.args[2]) throw systemError('EACCES');
      return broken(call);
    });
    const db = make();
    await expect(db.add('b', 2)).rejects.toMatchObject({
      code: 'EIO',
      message: expect.stringMatching(/it may be torn; "storpool-attachdb repair --file .*db\.json" mends it/),
    });
    expect(db.warnings).toEqual([expect.stringContaining('db.json.backup')]);
  });
});

test('what could not be written does not come back from the journal when the file is torn later', async () => {
  await prepare();
  let failed = false;
  tamper(({ name, path: where }) => {
    if (name === 'write' && where === fname && !failed) {
      failed = true;
      throw systemError('ENOSPC');
    }
    return undefined;
  });
  await expect(make().add('b', 2)).rejects.toMatchObject({
    code: 'ENOSPC',
    message: expect.stringContaining('it still has the old content'),
  });
  mend();
  writeFileSync(fname, '{"a":');
  await expect(make().get()).rejects.toMatchObject({ code: 'ECORRUPT' });
  expect(readFileSync(path('db.json.backup'), 'utf8')).toBe(`${JSON.stringify(OLD)}\n`);
});
