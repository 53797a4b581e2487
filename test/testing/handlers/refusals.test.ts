import { readFileSync } from 'node:fs';
import { beforeEach, describe, test } from 'vitest';
import { api, refuses, start, useCluster } from './cluster.js';

interface Refusal {
  path: string;
  json?: unknown;
  code: string;
  desc: string;
}

const file = new URL('../../vectors/refusals.json', import.meta.url);
// Not imported: a module would take a member __proto__ for a prototype.
const refusals = JSON.parse(readFileSync(file, 'utf8')) as Refusal[];

useCluster();
beforeEach(() =>
  start({
    volumes: [{ name: 'v', globalId: 'a.b.c' }, 'w', { name: 'small', size: 512, templateName: 't' }],
    snapshots: ['s', { name: 'base', size: 1024, templateName: 'u' }],
    templates: [
      { name: 't', size: 2048 },
      { name: 'u', size: '-' },
    ],
    iscsi: { baseName: 'iqn.x', portalGroups: { 1: { name: 'pg' } } },
  }),
);

describe('FakeStorPool refuses, and changes nothing:', () => {
  test.each(refusals)('$path $json', async ({ path, json, code, desc }) => {
    await refuses(() => api.call('POST', path, { json }), code, desc);
  });
});
