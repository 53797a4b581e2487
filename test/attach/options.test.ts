// Mistakes of plain JavaScript: whatever is misspelled is refused, with what to write instead.
import { describe, expect, test, vi } from 'vitest';
import { AttachDB, type AttachDBOptions, waitForDevices } from '../../src/index.js';
import { FakeStorPool } from '../../src/testing/index.js';
import { mockApi, request, useAttachDB } from '../lib/attach-db.js';

const { path, log, make, cache } = useAttachDB();

describe('AttachDB refuses', () => {
  test.each<[string, object, string]>([
    [
      'a misspelled option',
      { filename: '/tmp/mine.json' },
      'AttachDB has no option "filename": it has log, fname, overrideConfig, config, api, apiOptions, apiTimeout, deviceDir, deviceTimeout, detachRetries, detachRetryDelay, force, lock',
    ],
    ['an option of earlier versions', { forceShared: true }, 'AttachDB has no option "forceShared"'],
    [
      'a misspelled option of its client',
      { apiOptions: { hostname: 'x' } },
      'apiOptions has no option "hostname"',
    ],
    ['a misspelled option of its lock', { lock: { timeOut: 5 } }, '"timeOut"'],
    ['options of a client that it does not make', { api: mockApi(), apiOptions: {} }, 'not both'],
    ['another force', { force: true }, "force is true: give 'never', 'unshared' or 'always'"],
    ['a time that is none', { apiTimeout: '8s' }, 'apiTimeout is "8s": give a number of at least 1'],
  ])('%s', (_what, options, message) => {
    expect(() => make(options)).toThrowError(
      expect.objectContaining({ message: expect.stringContaining(message) }),
    );
  });

  test('a misspelled option of its configuration, when it is read', () => {
    const db = new AttachDB({ log, config: { sections: 'x' } as AttachDBOptions['config'] });
    expect(() => db.config()).toThrow('SPConfig has no option "sections"');
  });
});

describe('a call refuses', () => {
  const calls = {
    add: (options: never) => make().add('a', request('os--v'), options),
    remove: (options: never) => make().remove('a', options),
    get: (options: never) => make().get(options),
    attach: (options: never) => make().attach('a', request('os--v'), options),
    detach: (options: never) => make().detach('a', options),
    sync: (options: never) => make().sync('a', null, options),
    plan: (options: never) => make().plan('a', null, options),
    status: (options: never) => make().status(options),
    waitForDevices: (options: never) => waitForDevices(path('dev'), ['os--v'], options),
  };

  test.each(Object.keys(calls) as (keyof typeof calls)[])('what %s() does not know', async (name) => {
    const call = calls[name];
    const controller = new AbortController();
    await expect(call({ sginal: controller.signal } as never)).rejects.toThrow(
      /has no option "sginal": it has .*signal/,
    );
    await expect(call(controller.signal as never)).rejects.toThrow(/are a signal: give \{ signal \}/);
    const wrong = { signal: controller, ...(name === 'waitForDevices' && { timeout: 0 }) };
    await expect(call(wrong as never)).rejects.toThrow(
      'signal is an AbortController: give its signal, { signal: controller.signal }',
    );
    await expect(call(null as never)).rejects.toThrow(TypeError);
    expect(cache()).toEqual({});
  });

  test('a force that is none', async () => {
    for (const call of [calls.detach, calls.sync]) {
      await expect(call({ force: 'yes' } as never)).rejects.toThrow('force is "yes": give');
    }
    await expect(calls.attach({ force: 'never' } as never)).rejects.toThrow('attach() has no option "force"');
  });

  test('a name in the place of the request', async () => {
    await expect(make().attach('r', 'os--v' as never)).rejects.toMatchObject({
      code: 'EBADREQUEST',
      message: expect.stringContaining('a string instead of an object: { volume: "os--v", rights: 2 }'),
    });
  });
});

describe('apiOptions', () => {
  test('are those of the client, whose calls the attempts still retry without the lock', async () => {
    await using fake = await FakeStorPool.start({ volumes: ['os--v'], deviceDir: path('dev') });
    const delays: number[] = [];
    const db = make({
      overrideConfig: { ...fake.config, SP_API_HTTP_PORT: '1' },
      deviceTimeout: 5000,
      apiOptions: {
        port: fake.port,
        multiCluster: true,
        transientSleep: (retry) => {
          delays.push(retry);
          return 1;
        },
      },
    });
    fake.failNext('attachmentsList', 'reset', 2);
    const lists = vi.spyOn(db.api(), 'attachmentsList');
    await db.attach('a', request('os--v'));
    expect(fake.requests.at(-1)?.path).toBe('/ctrl/1.0/MultiCluster/VolumesReassign');
    expect(delays).toEqual([0, 1]);
    expect(lists.mock.calls).toEqual(Array(3).fill([{ transientRetries: 0, timeout: expect.any(Number) }]));
    expect(log.warn).toHaveBeenCalledExactlyOnceWith(
      expect.stringMatching(/^attach\(a\) is waiting for the API/),
    );
  });

  test('with a time-out that is shorter than apiTimeout, which ends the call and says so', async () => {
    await using fake = await FakeStorPool.start({ volumes: ['os--v'] });
    fake.failNext('attachmentsList', 'hang');
    const db = make({ overrideConfig: fake.config, apiOptions: { timeout: 50 } });
    await expect(db.attach('a', request('os--v'))).rejects.toMatchObject({
      name: 'ApiConnectionError',
      code: 'ETIMEDOUT',
      message: expect.stringContaining('no complete reply within 50 ms'),
    });
  });

  test('without retries', async () => {
    await using fake = await FakeStorPool.start({ volumes: ['os--v'] });
    fake.failNext('attachmentsList', 'reset');
    const db = make({ overrideConfig: fake.config, apiOptions: { transientRetries: 0 } });
    await expect(db.attach('a', request('os--v'))).rejects.toMatchObject({ code: 'ECONNRESET' });
  });
});
