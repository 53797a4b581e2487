import { describe, expect, test } from 'vitest';
import { reassignBody, requestPath, toJson } from '../../src/api/request.js';
import { ApiArgumentError, type ReassignEntry } from '../../src/index.js';
import names from '../vectors/names.json' with { type: 'json' };
import { thrownBy } from './failure.js';

describe('the path', () => {
  const path = (name: string, multiCluster = false, clusterName?: string) =>
    requestPath(name, multiCluster, clusterName);

  test.each([
    [path('VolumesList'), '/ctrl/1.0/VolumesList'],
    [path('VolumesList', true), '/ctrl/1.0/MultiCluster/VolumesList'],
    [path('VolumesList', false, 'c2'), '/ctrl/1.0/RemoteCommand/c2/VolumesList'],
    [path('Volume/v', true, 'c2'), '/ctrl/1.0/RemoteCommand/c2/MultiCluster/Volume/v'],
    [path('Snapshot/*a@b:c.d-e_f'), '/ctrl/1.0/Snapshot/*a@b:c.d-e_f'],
    [path('Volume/~a.b.c'), '/ctrl/1.0/Volume/~a.b.c'],
    [path('Volume/%D0%B6'), '/ctrl/1.0/Volume/%D0%B6'],
    [path('A/...'), '/ctrl/1.0/A/...'],
    [path(`Volume/${'x'.repeat(10_000)}`), `/ctrl/1.0/Volume/${'x'.repeat(10_000)}`],
  ])('%#', (actual, expected) => {
    expect(actual).toBe(expected);
  });

  test.each(names.paths)('%j leads nowhere', (hostile) => {
    const error = thrownBy(() => path(hostile), ApiArgumentError);
    expect(error).toMatchObject({ name: 'ApiArgumentError', code: 'EINVAL' });
    expect(error.message).toBe(
      `${JSON.stringify(hostile)} is not the path of an API call: give a path such as "VolumeGetInfo/NAME", without a query`,
    );
  });

  test.each(names.decodedPaths)(
    '%s leads nowhere, even for a server that decodes before it takes the path apart',
    (hostile) => {
      expect(thrownBy(() => path(hostile), ApiArgumentError).code).toBe('EINVAL');
    },
  );

  test('a long one is shown in part', () => {
    const error = thrownBy(() => path(`${'x'.repeat(10_000)} `), ApiArgumentError);
    expect(error.message).toBe(
      `"${'x'.repeat(79)}… is not the path of an API call: give a path such as "VolumeGetInfo/NAME", without a query`,
    );
  });

  test('a cluster name that is none', () => {
    const error = thrownBy(() => path('VolumesList', false, 'a/b'), ApiArgumentError);
    expect(error.message).toBe(
      '"a/b" is not a valid cluster name: use letters, digits and _-.:, or a cluster ID such as ~a.b',
    );
  });
});

describe('the JSON', () => {
  test.each([
    [{ a: null, b: undefined, c: 0, d: false, e: '' }, '{"c":0,"d":false,"e":""}'],
    [{ a: { b: null, c: { d: null } } }, '{"a":{"c":{}}}'],
    [{ a: [{ b: null, c: 1 }, { d: [{ e: null }] }] }, '{"a":[{"c":1},{"d":[{}]}]}'],
    [[{ volume: 'v', rw: [1], force: false }], '[{"volume":"v","rw":[1],"force":false}]'],
    ['text', '"text"'],
    [5, '5'],
    [false, 'false'],
    [
      JSON.parse('{"tags":{"__proto__":"x","constructor":"y"}}'),
      '{"tags":{"__proto__":"x","constructor":"y"}}',
    ],
    [{ name: 'жълт "\n' }, '{"name":"жълт \\"\\n"}'],
  ])('%j', (value, expected) => {
    expect(toJson(value)).toBe(expected);
  });

  test('sets go out as lists, and maps as objects', () => {
    const tags = new Map<string, unknown>([
      ['virt', 'cinder'],
      ['gone', null],
      ['list', new Set([1, null, 2])],
    ]);
    expect(toJson({ tags, disks: new Set([new Map([['a', 1]])]) })).toBe(
      '{"tags":{"virt":"cinder","list":[1,2]},"disks":[{"a":1}]}',
    );
  });

  const circle: Record<string, unknown> = {};
  circle['circle'] = circle;
  test.each<[string, unknown, string]>([
    ['NaN', { a: Number.NaN }, 'the argument.a is NaN, which cannot be sent'],
    ['an infinity', [1, Number.POSITIVE_INFINITY], 'the argument[1] is Infinity, which cannot be sent'],
    ['minus zero', { a: [{ b: -0 }] }, 'the argument.a[0].b is -0, which cannot be sent'],
    ['a date', { deleteAt: new Date(0) }, 'the argument.deleteAt has a toJSON() method'],
    ['an address', new URL('http://host/'), 'the argument has a toJSON() method'],
    ['a bigint', { size: 512n }, 'the argument.size is a bigint'],
    ['a function', { size: () => 1 }, 'the argument.size is a function'],
    ['a symbol', { a: new Map([['b', Symbol('c')]]) }, 'the argument.a.b is a symbol'],
    ['a circle', circle, 'is nested deeper than 100 levels: is it circular?'],
  ])('%s is refused, and the message says where', (_label, value, message) => {
    const error = thrownBy(() => toJson(value), ApiArgumentError);
    expect(error.code).toBe('EINVAL');
    expect(error.message).toContain(message);
  });

  test('tags may have any names', () => {
    expect(toJson({ tags: { toJSON: 'x', __proto__x: 'y' } })).toBe(
      '{"tags":{"toJSON":"x","__proto__x":"y"}}',
    );
  });

  test('what is given stays as it is', () => {
    const given = { a: null, b: { c: null } };
    toJson(given);
    expect(given).toEqual({ a: null, b: { c: null } });
  });
});

describe('a reassignment', () => {
  const body = (...entries: unknown[]) => reassignBody(entries as ReassignEntry[]);

  test('force is spelled out, false by default; the rest is sent as it is', () => {
    const entries: ReassignEntry[] = [
      { volume: 'v', rw: [1], ro: [2], detach: [3], onRemoteAttached: 'export' },
      { volume: '#v', detach: 'all', force: true },
      { snapshot: '*s@1', ro: [1], force: false },
      { snapshot: '~a.b.c', detach: [1] },
    ];
    const given = structuredClone(entries);
    expect(reassignBody(entries)).toEqual([
      { volume: 'v', rw: [1], ro: [2], detach: [3], onRemoteAttached: 'export', force: false },
      { volume: '#v', detach: 'all', force: true },
      { snapshot: '*s@1', ro: [1], force: false },
      { snapshot: '~a.b.c', detach: [1], force: false },
    ]);
    expect(entries).toEqual(given);
    expect(reassignBody([])).toEqual([]);
  });

  test.each([{ volume: 'v', snapshot: 's' }, {}, { rw: [1] }, { volume: undefined, rw: [1] }])(
    '%j names either a volume or a snapshot',
    (entry) => {
      const error = thrownBy(() => body(entry), ApiArgumentError);
      expect(error).toMatchObject({
        code: 'EINVAL',
        message: 'an entry of a reassignment names one volume or one snapshot',
      });
    },
  );

  test.each([
    [{ volume: '../x' }, '"../x" is not a valid volume name'],
    [{ volume: null }, 'null is not a valid volume name'],
    [{ volume: 's@1' }, '"s@1" is not a valid volume name'],
    [{ snapshot: 'a/b' }, '"a/b" is not a valid snapshot name'],
    [{ snapshot: 5 }, '5 is not a valid snapshot name'],
  ])('%j: a name that is none', (entry, message) => {
    const error = thrownBy(() => body({ volume: 'ok', rw: [1] }, entry), ApiArgumentError);
    expect(error.code).toBe('EINVAL');
    expect(error.message.startsWith(`${message}: use letters`)).toBe(true);
  });

  test('client IDs as strings are sent as they are given', () => {
    const entries = [{ volume: 'v', rw: ['7', 8], detach: ['4095'] }];
    expect(body(...entries)).toEqual([{ ...entries[0], force: false }]);
  });

  test('a snapshot is never read/write', () => {
    const error = thrownBy(() => body({ snapshot: 's', rw: [1] }), ApiArgumentError);
    expect(error).toMatchObject({
      code: 'EINVAL',
      message: 'snapshot s cannot be attached read/write: use ro',
    });
  });

  test.each([
    [{ volume: 'v', rw: [0] }, 'volume v: 0 is not'],
    [{ volume: 'v', ro: [1, -1] }, 'volume v: -1 is not'],
    [{ volume: 'v', detach: [1.5] }, 'volume v: 1.5 is not'],
    [{ volume: 'v', rw: [Number.NaN] }, 'volume v: NaN is not'],
    [{ volume: 'v', rw: ['x'] }, 'volume v: "x" is not'],
    [{ volume: 'v', rw: [4096] }, 'volume v: 4096 is not'],
    [{ volume: 'v', detach: ['4096'] }, 'volume v: "4096" is not'],
    [{ snapshot: 's', ro: [null] }, 'snapshot s: null is not'],
    [{ snapshot: 's', detach: [undefined] }, 'snapshot s: undefined is not'],
  ])('%j: a client that is none', (entry, message) => {
    const error = thrownBy(() => body(entry), ApiArgumentError);
    expect(error).toMatchObject({
      code: 'EINVAL',
      message: `${message} a client ID: give a number from 1 to 4095`,
    });
  });

  test.each([
    [[{ volume: 'v', rw: 'all' }], 'volume v: "all" is not a list of client IDs'],
    [[{ volume: 'v', detach: 'none' }], 'volume v: "none" is not a list of client IDs'],
    [[{ volume: 'v', rw: 1 }], 'volume v: 1 is not a list of client IDs'],
    [[null], 'null is not an entry of a reassignment: give { volume, rw: [clientId] }'],
    [{ json: [] }, 'a reassignment is a list of entries: [{ volume, rw: [clientId] }]'],
    [undefined, 'a reassignment is a list of entries: [{ volume, rw: [clientId] }]'],
  ])('%j is none', (entries, message) => {
    expect(thrownBy(() => reassignBody(entries as never), ApiArgumentError).message).toBe(message);
  });
});
