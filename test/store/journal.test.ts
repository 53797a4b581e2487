import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { describe, expect, test } from 'vitest';
import { isTornBy } from '../../src/store/journal.js';
import { fname, make, mend, onDisk, tamper, useLockedFile } from './quiet-db.js';
import { systemError } from './tampered-disk.js';

const path = useLockedFile();
const isRoot = process.getuid?.() === 0;

const journal = () => readFileSync(`${fname}.backup`, 'utf8');
/** As Python writes: without a flush, and without a journal. */
const writeAsPython = (content: object) => writeFileSync(fname, JSON.stringify(content, undefined, 1));

/** What a write leaves that is killed when the file has `written`, changed at `changed` (seconds since the mark). */
function interrupt(content: string, written: string, changed = 0, mark = '\t'): void {
  writeFileSync(`${fname}.backup`, `${content}${mark}`);
  writeFileSync(fname, written);
  utimesSync(`${fname}.backup`, 1e9, 1e9);
  utimesSync(fname, 1e9, 1e9 + changed);
}

const flushes = () => {
  const flushed: string[] = [];
  tamper(({ name, path: where }) => {
    if (name.endsWith('sync')) flushed.push(where);
    return undefined;
  });
  return flushed;
};

describe('add()', () => {
  test('marks the journal as under way before it touches the file, and as done after that', async () => {
    const seen: string[] = [];
    tamper(({ name, path: where }) => {
      const isFlush = name === 'datasync' && where.endsWith('.backup');
      if (isFlush || (name === 'truncate' && where === fname)) seen.push(journal());
      return undefined;
    });
    await make().add('a', 1);
    expect(seen).toEqual(['{"a":1}\t', '{"a":1}\t']);
    expect(journal()).toBe('{"a":1}\n');
  });

  test('leaves a file that no other program could leave, whenever it is killed while that is torn', async () => {
    await make().jsdump({ a: 1 });
    const seen: string[] = [];
    tamper(({ name, path: where }) => {
      if (where === fname && ['write', 'truncate', 'datasync'].includes(name))
        seen.push(readFileSync(fname, 'utf8'));
      return undefined;
    });
    await make().add('b', 2);
    mend();
    expect(seen).toEqual(['{"a":1}', '!"a":1}', '!', '!"a":1,"b":2}', '{"a":1,"b":2}']);
    for (const written of seen.slice(1, -1)) {
      interrupt('{"a":1,"b":2}', written, 3600);
      expect(await make().get()).toEqual({ a: 1, b: 2 });
    }
  });

  test('flushes twice', async () => {
    await make().add('a', 1);
    const flushed = flushes();
    await make().add('b', 2);
    await make().add('c', 3);
    expect(flushed).toEqual([path('db.json.backup'), fname, path('db.json.backup'), fname]);
  });

  test('flushes what another program wrote before it tears the journal', async () => {
    await make().add('a', 1);
    writeAsPython({ b: 2 });
    const flushed = flushes();
    await make().add('c', 3);
    expect(flushed).toEqual([fname, path('db.json.backup'), fname]);
  });

  test('flushes the name of a new journal', async () => {
    const flushed = flushes();
    await make().add('a', 1);
    expect(flushed).toEqual([path(), fname, path('db.json.backup'), fname]);
  });

  test('leaves nothing in the journal that was refused, when its flush fails', async () => {
    await make().add('a', 1);
    tamper(({ name, path: where }) => {
      if (name === 'datasync' && where.endsWith('.backup')) throw systemError('EIO');
      return undefined;
    });
    await expect(make().add('b', 2)).rejects.toThrow('it still has the old content');
    expect(journal()).toBe('{"a":1}\n');
  });
});

describe('get() and a torn file', () => {
  test.each([
    ['empty', '{"a":1}', ''],
    ['cut', '{"a":1}', '{"a":'],
    ['with NUL bytes at the end', '{"a":1}', '{"a\0\0\0\0'],
    ['all NUL bytes', '{"a":1}', '\0\0\0'],
  ])('finishes a write of ours that left it %s, and warns', async (_what, content, written) => {
    interrupt(content, written);
    const db = make();
    expect(await db.get()).toEqual({ a: 1 });
    expect([onDisk(), journal()]).toEqual(['{"a":1}', '{"a":1}\n']);
    expect(db.warnings).toEqual([
      expect.stringMatching(/A write of .*db\.json was interrupted; it was finished from/),
    ]);
  });

  test('jsload() finishes a number of ours, though its beginning is JSON', async () => {
    interrupt('123', '12');
    expect(await make().jsload()).toBe(123);
  });

  const refused = async (lock = {}) => {
    const before = [onDisk(), existsSync(`${fname}.backup`) && journal()];
    const db = make(lock);
    await expect(db.get()).rejects.toMatchObject({ code: 'ECORRUPT' });
    await expect(db.add('b', 2)).rejects.toMatchObject({ code: 'ECORRUPT' });
    await expect(db.removeKeys(['a'])).rejects.toMatchObject({ code: 'ECORRUPT' });
    expect([onDisk(), existsSync(`${fname}.backup`) && journal()]).toEqual(before);
    expect(db.warnings).toEqual([]);
  };

  test.each([
    ['no write was under way', () => interrupt('{"a":1}', '', 0, '\n')],
    ['the file was not touched yet, by an earlier version', () => interrupt('{"a":1}', '', 0, ' ')],
    ['the file is not the beginning of the journal', () => interrupt('{"a":1}', '{"b')],
    ['the journal is not JSON', () => interrupt('{"a":', '{"a"')],
    ['the journal is empty', () => writeFileSync(`${fname}.backup`, '')],
    ['the file has more than the journal', () => interrupt('{"a":1}', '{"a":1}}')],
    ['the file has the content and something behind it', () => interrupt('{"a":1}', '{"a":1}\0\0')],
    ['there is no journal', () => undefined],
    ['the file was changed a second later', () => interrupt('{"a":1}', '', 1)],
  ])('changes nothing when %s', async (_when, arrange) => {
    writeFileSync(fname, '{"a');
    arrange();
    await refused();
  });

  test('changes nothing when the file was changed more than 50 ms after the mark', async () => {
    const now = Date.now() / 1000;
    interrupt('{"a":1}', '');
    utimesSync(`${fname}.backup`, now, now - 0.051);
    utimesSync(fname, now, now);
    await refused();
    utimesSync(`${fname}.backup`, now, now - 0.049);
    expect(await make().get()).toEqual({ a: 1 });
  });

  test('changes nothing without the kernel lock', async () => {
    interrupt('{"a":1}', '');
    await refused({ kernelLock: 'off' });
    expect(await make().get()).toEqual({ a: 1 });
  });

  test('keeps what was acknowledged: ours is killed, then Python changes, then Python is killed', async () => {
    await make().add('a', 1);
    interrupt('{"a":1,"b":2}', '{"a":1}');
    writeAsPython({ a: 1, theirs: true });
    writeFileSync(fname, '');
    await refused();
    expect(journal()).toBe('{"a":1,"b":2}\t');
  });

  test('says where it is torn, how old the journal is, and what mends it', async () => {
    interrupt('{"a":1}', '{\n "a": tru', 0, '\n');
    await expect(make().get()).rejects.toThrow(
      new RegExp(
        `db\\.json ends before its JSON does, at line 2, column 10; nothing was changed\\. .*db\\.json\\.backup holds what a Node\\.js process wrote last, \\d+ s ago \\(2001-09-09T.*"storpool-attachdb repair --file ${fname}" mends it`,
      ),
    );
  });

  test('an unreadable journal is an error that names it', async () => {
    interrupt('{"a":1}', '');
    tamper(({ name, path: where }) => {
      if (name === 'open' && where.endsWith('.backup')) throw systemError('EACCES');
      return undefined;
    });
    await expect(make().get()).rejects.toMatchObject({
      code: 'EACCES',
      message: expect.stringMatching(
        /is torn, and .*db\.json\.backup cannot be used: EACCES.*Give .*\.backup the group/,
      ),
    });
  });
});

describe('get() and a whole file', () => {
  test('touches neither the file nor a journal that is under way', async () => {
    interrupt('{"a":1,"never":"written"}', '{"a":1}');
    expect(await make().get()).toEqual({ a: 1 });
    expect(journal()).toBe('{"a":1,"never":"written"}\t');
    await make().add('b', 2);
    expect(journal()).toBe('{"a":1,"b":2}\n');
  });
});

test('jsdump() replaces torn content, and leaves the journal until the file is whole', async () => {
  interrupt('{"only":"here"}', '{"a', 0, '\n');
  await make().jsdump({ mended: true });
  expect([onDisk(), journal()]).toEqual(['{"mended":true}', '{"only":"here"}\n']);
});

describe('isTornBy()', () => {
  const ms = 1_000_000n;
  const marked = { content: Buffer.from('{"a":1}'), isUnderWay: true, markedNs: 100_000n * ms };
  test('a file that begins as while it is written was torn by this library at any time', () => {
    const torn = Buffer.from('!');
    expect(isTornBy(marked, torn, marked.markedNs + 5000n * ms, marked.markedNs + 6000n * ms)).toBe(true);
    expect(isTornBy({ ...marked, isUnderWay: false }, torn, marked.markedNs, marked.markedNs)).toBe(false);
  });

  test.each([
    ['50 ms after the mark', 50n, 1000n, true],
    ['51 ms after the mark', 51n, 1000n, false],
    ['before the mark, as when finishing it was interrupted', -1000n, 1000n, true],
    ['before a mark of the future, because the clock was set back', -3000n, -2000n, false],
  ])('the file was changed %s', (_when, changed, now, expected) => {
    const at = (time: bigint) => marked.markedNs + time * ms;
    expect(isTornBy(marked, Buffer.from('{"a'), at(changed), at(now))).toBe(expected);
  });
});

describe('something else in the place of the journal', () => {
  const things: [string, () => void][] = [
    ['a FIFO', () => execFileSync('mkfifo', [path('db.json.backup')])],
    ['a directory', () => mkdirSync(path('db.json.backup'))],
    ['a link', () => symlinkSync(path('elsewhere'), path('db.json.backup'))],
    ['another name of the file', () => linkSync(fname, path('db.json.backup'))],
    [
      'an endless file',
      () => {
        writeFileSync(path('db.json.backup'), '');
        truncateSync(path('db.json.backup'), 2 ** 31);
      },
    ],
  ];

  test.each(things)(
    '%s holds up no write, is not followed and not removed, with one warning',
    async (_what, put) => {
      writeFileSync(path('elsewhere'), 'theirs');
      put();
      const db = make();
      await db.add('a', 1);
      await db.add('b', 2);
      expect(onDisk()).toBe('{"a":1,"b":2}');
      expect(existsSync(path('db.json.backup'))).toBe(true);
      expect(readFileSync(path('elsewhere'), 'utf8')).toBe('theirs');
      expect(db.warnings).toEqual([expect.stringMatching(/Cannot write .*db\.json\.backup: .*tears it$/)]);
    },
  );

  test.each(things)('%s finishes no write', async (_what, put) => {
    writeFileSync(path('elsewhere'), '{"a":1}\t');
    put();
    writeFileSync(fname, '');
    await expect(make().get()).rejects.toMatchObject({ code: 'ECORRUPT' });
  });
});

describe('a journal that this user may not write', () => {
  const deny = (...names: string[]) =>
    tamper(({ name, path: where, args }) => {
      const isRead = name === 'open' && (Number(args[1]) & 2) === 0;
      if (where.endsWith('.backup') && names.includes(isRead ? 'read' : name)) throw systemError('EACCES');
      return undefined;
    });

  test('add() makes it anew, after the file is on the disk', async () => {
    interrupt('{"a":1,"b":2}', '{"a":1}');
    const { ino } = statSync(`${fname}.backup`);
    writeFileSync(path('keeps the inode'), '');
    let isFirst = true;
    const flushed: string[] = [];
    tamper(({ name, path: where }) => {
      if (name.endsWith('sync')) flushed.push(where);
      if (name !== 'open' || !where.endsWith('.backup') || !isFirst) return undefined;
      isFirst = false;
      throw systemError('EACCES');
    });
    const db = make();
    await db.add('c', 3);
    expect([onDisk(), journal()]).toEqual(['{"a":1,"c":3}', '{"a":1,"c":3}\n']);
    expect([flushed[0], db.warnings, ino > 0]).toEqual([fname, [], true]);
  });

  test('add() writes in place, with one warning, where it cannot be removed and no write is under way', async () => {
    await make().add('a', 1);
    deny('open', 'unlink');
    const db = make();
    await db.add('b', 2);
    await db.add('c', 3);
    mend();
    expect([onDisk(), journal()]).toEqual(['{"a":1,"b":2,"c":3}', '{"a":1}\n']);
    expect(db.warnings).toEqual([
      expect.stringMatching(/Cannot write .*\.backup: EACCES.*writable for this user's group/),
    ]);
  });

  test.each([
    ['a write is under way', ['open', 'unlink']],
    ['that is not known', ['open', 'unlink', 'read']],
  ])('add() is refused where it cannot be removed and %s', async (_what, names) => {
    interrupt('{"a":1,"b":2}', '{"a":1}');
    deny(...names);
    await expect(make().add('c', 3)).rejects.toMatchObject({
      code: 'EACCES',
      message: expect.stringMatching(
        /Cannot write .*\.backup: EACCES.*writable for this user's group\. .*db\.json still has the old/,
      ),
    });
    expect(onDisk()).toBe('{"a":1}');
  });
});

describe.runIf(isRoot)('the owner, group and mode of the journal', () => {
  test('are those of the file', async () => {
    chownSync(fname, 12_345, 23_456);
    chmodSync(fname, 0o660);
    await make().add('a', 1);
    const { uid, gid, mode } = statSync(path('db.json.backup'));
    expect([uid, gid, mode & 0o777]).toEqual([12_345, 23_456, 0o660]);
  });

  test('cannot be given: there is no journal rather than one that the group cannot use', async () => {
    chmodSync(fname, 0o664);
    chownSync(fname, 0, 12_345);
    tamper(({ name }) => {
      if (name === 'chown') throw systemError('EPERM');
      return undefined;
    });
    const db = make();
    await db.add('a', 1);
    expect([onDisk(), existsSync(`${fname}.backup`)]).toEqual(['{"a":1}', false]);
    expect(db.warnings).toEqual([expect.stringMatching(/Cannot write .*\.backup: EPERM/)]);
  });
});
