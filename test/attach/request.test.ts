import { describe, expect, test } from 'vitest';
import { completeRequest, identityOf } from '../../src/attach/request.js';
import { AttachDB, type AttachDBOptions, type AttachRequest } from '../../src/index.js';
import { mockApi, request, useAttachDB, workingApi } from '../lib/attach-db.js';

const { make, cache, device } = useAttachDB();

describe('what goes into the cache', () => {
  test('has an id and a type, which the Python services read from each entry', async () => {
    device('os--w');
    const db = make({ api: workingApi(['os--v', 'os--w']) });
    await db.add('a', { volume: 'os--v', rights: 2 });
    await db.attach('b', { volume: 'os--w', rights: 1, type: 'nova' });
    expect(cache()).toEqual({
      a: { volume: 'os--v', rights: 2, id: 'a', type: 'storpool-spopenstack' },
      b: { volume: 'os--w', rights: 1, id: 'b', type: 'nova', since: expect.any(String) },
    });
  });

  test.each(['', 'other', 5, null])('must not have the id %j of another request', async (id) => {
    const wrong = request('os--v', { id } as never);
    const db = make({ api: mockApi() });
    for (const call of [db.add('a', wrong), db.attach('a', wrong)]) {
      await expect(call).rejects.toMatchObject({
        code: 'EBADREQUEST',
        message: expect.stringContaining(`has the id ${JSON.stringify(id)}: leave it out`),
      });
    }
    expect(cache()).toEqual({});
  });

  test('is not the object that was given', () => {
    const given: AttachRequest = Object.freeze({ volume: 'os--v', rights: 2 });
    expect(completeRequest('a', given, 'to be added')).not.toBe(given);
  });
});

describe('mistakes of plain JavaScript are typed errors', () => {
  test('no request ID', async () => {
    const db = make({ api: mockApi() });
    const calls: (() => Promise<unknown>)[] = [
      () => db.add(undefined as never, request('os--v')),
      () => db.attach(undefined as never, request('os--v')),
      () => db.detach(undefined as never),
      () => db.sync(undefined as never),
      () => db.plan(undefined as never),
    ];
    for (const call of calls) {
      await expect(call()).rejects.toMatchObject({
        code: 'EBADREQUEST',
        message: 'The request ID is undefined: give a string',
      });
    }
    expect(cache()).toEqual({});
  });

  test('options in the place of the volume', async () => {
    const { signal } = new AbortController();
    await expect(make().sync('a', { signal } as never)).rejects.toThrow(/options come third/);
    await expect(make().plan('a', { signal } as never)).rejects.toThrow(TypeError);
  });

  test('no options', () => {
    expect(() => new AttachDB(undefined as unknown as AttachDBOptions)).toThrow(/AttachDB needs a logger/);
  });

  test('a number in quotes', () => {
    expect(() => make({ detachRetries: '10' as never })).toThrow('detachRetries is "10": give a number');
  });
});

test.each([
  [
    { volume: 'os--v', rights: 9 },
    { volume: 'os--v', snapshot: false },
  ],
  [
    { volume: 'os--v', volsnap: true, global_id: '~a.b.c' },
    { volume: 'os--v', snapshot: true, globalId: 'a.b.c' },
  ],
  [
    { volume: 5, global_id: 6 },
    { volume: '', snapshot: false },
  ],
  [null, { volume: '', snapshot: false }],
  ['text', { volume: '', snapshot: false }],
])('the entry %j is for %j', (entry, identity) => {
  expect(identityOf(entry)).toEqual(identity);
});
