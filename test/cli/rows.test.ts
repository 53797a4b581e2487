import { describe, expect, test } from 'vitest';
import { collect, type HostAttachments, judge, type Row } from '../../src/cli/rows.js';
import { entry } from './host.js';

const attachment = (volume: string, rights: 'rw' | 'ro' = 'rw', snapshot = false) => ({
  volume,
  snapshot,
  rights,
});

function rows(
  cache: object,
  attachments: HostAttachments = [],
  scene: { devices?: string[]; cluster?: string[] } = {},
) {
  const { devices = attachments.map(({ volume }) => volume), cluster = [] } = scene;
  const deviceOf = (volume: string) => (devices.includes(volume) ? `/dev/storpool/${volume}` : null);
  return judge(collect(new Map(Object.entries(cache)), attachments, deviceOf), 'os', ({ volume, snapshot }) =>
    cluster.includes(snapshot ? `snapshot ${volume}` : volume),
  );
}

const verdict = (found: Row[]) => found.map((row) => [row.verdict, row.finding]);

describe('the verdict on a volume', () => {
  test.each<[string, Row[]]>([
    ['ok', rows(entry('a', 'os-1'), [attachment('os-1')])],
    ['ok', rows(entry('a', 'os-1', { rights: 1 }), [attachment('os-1')])],
    ['ok', rows(entry('a', 'os-1', { rights: 1, volsnap: true }), [attachment('os-1', 'ro', true)])],
  ])('is %s', (words, found) => {
    expect(verdict(found)).toEqual([[words, false]]);
  });

  test.each<[string, Row[]]>([
    ['not attached', rows(entry('a', 'os-1'), [], { cluster: ['os-1'] })],
    ['not attached', rows(entry('a', 'os-1', { volsnap: true }), [], { cluster: ['snapshot os-1'] })],
    ['attached, but no request', rows({}, [attachment('os-1')])],
    ['read-only, but read/write wanted', rows(entry('a', 'os-1'), [attachment('os-1', 'ro')])],
    ['no device', rows(entry('a', 'os-1'), [attachment('os-1')], { devices: [] })],
    ['stale: not in the cluster', rows(entry('a', 'os-1'))],
    ['stale: not in the cluster', rows(entry('a', 'os-1', { volsnap: true }), [], { cluster: ['os-1'] })],
    ['not ours: another prefix', rows(entry('a', 'pve-1'), [attachment('pve-1')])],
    ['not a request', rows({ a: { rights: 2 } })],
    ['not a request', rows({ a: null })],
    ['not a request', rows(entry('a', 'os-1', { rights: 3 }))],
  ])('is %s, which is a finding', (words, found) => {
    expect(verdict(found)).toEqual([[words, true]]);
  });

  test('of somebody else is no finding while nobody here asks for it', () => {
    expect(verdict(rows({}, [attachment('pve-1')]))).toEqual([['not ours: another prefix', false]]);
  });
});

test('requests for one volume share a row, with the highest rights of them', () => {
  const cache = {
    ...entry('a', 'os-1', { rights: 1 }),
    ...entry('b', 'os-1'),
    ...entry('c', 'os-1', { rights: 1 }),
  };
  expect(rows(cache, [attachment('os-1')])).toEqual([
    {
      volume: 'os-1',
      snapshot: false,
      requests: ['a', 'b', 'c'],
      wants: 'rw',
      has: 'rw',
      device: '/dev/storpool/os-1',
      verdict: 'ok',
      finding: false,
    },
  ]);
});

test('an entry that is no request does not hide the volume that it names', () => {
  const found = rows(entry('a', 'os-1', { rights: '2' }), [attachment('os-1')]);
  expect(found.map((row) => [row.volume, row.requests, row.verdict])).toEqual([
    ['os-1', [], 'attached, but no request'],
    ['os-1', ['a'], 'not a request'],
  ]);
});

test('findings come first, then by name', () => {
  const cache = { ...entry('a', 'os-1'), ...entry('b', 'os-3'), ...entry('c', 'os-2') };
  const found = rows(cache, [attachment('os-2'), attachment('os-1')], { cluster: ['os-3'] });
  expect(found.map(({ volume }) => volume)).toEqual(['os-3', 'os-1', 'os-2']);
});
