import { beforeEach, expect, test } from 'vitest';
import type { ISCSICommand } from '../../../src/index.js';
import { api, start, useCluster } from './cluster.js';

useCluster();
beforeEach(() =>
  start({
    volumes: [{ name: 'v', globalId: 'a.b.c' }, 'w'],
    iscsi: { baseName: 'iqn.x', portalGroups: { 1: { name: 'pg' } } },
  }),
);

const run = (...commands: ISCSICommand[]) => api.iSCSIConfigChange({ commands });
const iscsi = async () => (await api.iSCSIConfig()).iscsi;

const INITIATOR = { createInitiator: { name: 'i', username: 'u', secret: 'x' } };
const TARGET = { createTarget: { volumeName: 'v' } };
const EXPORT = { export: { initiator: 'i', portalGroup: 'pg', volumeName: 'v' } };
const EXPORT_DELETE = { exportDelete: { initiator: 'i', portalGroup: 'pg', volumeName: 'v' } };

test('the way of an export there and back', async () => {
  expect(await run(INITIATOR, { initiatorAddNetwork: { initiator: 'i', net: '10.0.0.0/8' } })).toEqual({
    ok: true,
    generation: 2,
  });
  await run(TARGET, EXPORT);
  expect(await iscsi()).toEqual({
    baseName: 'iqn.x',
    portalGroups: { 1: { name: 'pg' } },
    initiators: {
      1: {
        name: 'i',
        username: 'u',
        secret: 'x',
        nets: ['10.0.0.0/8'],
        exports: [{ portalGroup: 'pg', target: 'iqn.x:v' }],
      },
    },
    targets: { 1: { name: 'iqn.x:v', volume: 'v', currentControllerId: 0 } },
  });
  await run(EXPORT_DELETE, { deleteTarget: { volumeName: 'v' } });
  await run({ deleteInitiator: { name: 'i' } });
  expect(await iscsi()).toMatchObject({ initiators: {}, targets: {} });
});

test('a portal group, its networks and its portals', async () => {
  await run(
    { setBaseName: { name: 'iqn.y' } },
    { createPortalGroup: { name: 'new' } },
    { portalGroupAddNetwork: { portalGroup: 'new', net: '10.0.0.0/8' } },
    { portalGroupAddNetwork: { portalGroup: 'pg', net: '10.1.0.0/16' } },
    { createPortal: { portalGroup: 'new', controller: 3, ip: '10.0.0.1' } },
    { createPortal: { portalGroup: 'pg', controller: 4, ip: '10.0.0.1', port: 3261 } },
    TARGET,
  );
  expect(await iscsi()).toEqual({
    baseName: 'iqn.y',
    portalGroups: {
      1: {
        name: 'pg',
        networks: [{ address: '10.1.0.0', prefix: 16 }],
        portals: [{ controller: 4, ip: '10.0.0.1', port: 3261 }],
      },
      2: {
        name: 'new',
        networks: [{ address: '10.0.0.0', prefix: 8 }],
        portals: [{ controller: 3, ip: '10.0.0.1', port: 3260 }],
      },
    },
    targets: { 1: { name: 'iqn.y:v', volume: 'v', currentControllerId: 4 } },
  });
  await run({ deletePortal: { ip: '10.0.0.1' } });
  expect((await iscsi()).portalGroups).toMatchObject({
    1: { portals: [{ port: 3261 }] },
    2: { portals: [] },
  });
  await run({ deletePortalGroup: { name: 'new' } });
  expect(Object.keys((await iscsi()).portalGroups ?? {})).toEqual(['1']);
});

test('each gets a key of its own, after the highest of them', async () => {
  await run(
    { createInitiator: { name: 'a' } },
    { createInitiator: { name: 'b' } },
    { createInitiator: { name: 'c' } },
  );
  await run({ deleteInitiator: { name: 'b' } }, { createInitiator: { name: 'd' } });
  expect(
    Object.entries((await iscsi()).initiators ?? {}).map(([key, one]) => [key, one['name'], one['username']]),
  ).toEqual([
    ['1', 'a', ''],
    ['3', 'c', ''],
    ['4', 'd', ''],
  ]);
});

test('a volume is found by its global ID, and there need be no base name', async () => {
  await run({ createTarget: { volumeName: '~a.b.c' } });
  expect((await iscsi()).targets).toMatchObject({ 1: { name: 'iqn.x:v', volume: 'v' } });
  await start({ volumes: ['v'], iscsi: {} });
  await run(TARGET);
  expect((await iscsi()).targets).toMatchObject({ 1: { name: 'iqn:v', volume: 'v' } });
});

test('other targets and initiators stay as they are', async () => {
  await run(
    INITIATOR,
    { createInitiator: { name: 'j' } },
    TARGET,
    { createTarget: { volumeName: 'w' } },
    EXPORT,
  );
  await run({ export: { initiator: 'i', portalGroup: 'pg', volumeName: 'w' } });
  await run(EXPORT_DELETE, { deleteTarget: { volumeName: 'v' } }, { deleteInitiator: { name: 'j' } });
  expect(await iscsi()).toMatchObject({
    initiators: { 1: { name: 'i', exports: [{ portalGroup: 'pg', target: 'iqn.x:w' }] } },
    targets: { 2: { volume: 'w' } },
  });
});
