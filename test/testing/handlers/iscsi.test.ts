import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Api, ApiError, type ISCSICommand, SPConfig } from '../../../src/index.js';
import { FakeStorPool } from '../../../src/testing/index.js';
import { failureOf } from '../../api/failure.js';

let fake: FakeStorPool;
let api: Api;
beforeEach(async () => {
  fake = await FakeStorPool.start({
    volumes: [{ name: 'v', globalId: 'a.b.c' }, 'w'],
    iscsi: { baseName: 'iqn.x', portalGroups: { 1: { name: 'pg' } } },
  });
  api = Api.fromConfig(new SPConfig({ overrideConfig: fake.config }));
});
afterEach(() => fake.close());

const run = (...commands: ISCSICommand[]) => api.iSCSIConfigChange({ commands });
const iscsi = async () => (await api.iSCSIConfig()).iscsi;

const INITIATOR = { createInitiator: { name: 'i', username: 'u', secret: 'x' } };
const TARGET = { createTarget: { volumeName: 'v' } };
const PORTAL = { createPortal: { portalGroup: 'pg', controller: 1, ip: '10.0.0.1' } };
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
  await fake.close();
  fake = await FakeStorPool.start({ volumes: ['v'], iscsi: {} });
  api = Api.fromConfig(new SPConfig({ overrideConfig: fake.config }));
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

describe('refusals, after which nothing has changed', () => {
  const unknown = 'iSCSIConfig: each command is an object with one member, the name of a known command.';
  test.each<[string, unknown[], string, string]>([
    ['the same initiator', [INITIATOR, INITIATOR], 'objectExists', "Initiator 'i' already exists."],
    [
      'the same target',
      [TARGET, { createTarget: { volumeName: '~a.b.c' } }],
      'objectExists',
      "Target 'v' already exists.",
    ],
    ['the same export', [INITIATOR, TARGET, EXPORT, EXPORT], 'objectExists', "Export 'v' already exists."],
    [
      'no volume',
      [{ createTarget: { volumeName: 'x' } }],
      'objectDoesNotExist',
      "Volume 'x' does not exist.",
    ],
    [
      'no initiator to delete',
      [{ deleteInitiator: { name: 'i' } }],
      'objectDoesNotExist',
      "Initiator 'i' does not exist.",
    ],
    [
      'no initiator to have a network',
      [{ initiatorAddNetwork: { initiator: 'i', net: 'n' } }],
      'objectDoesNotExist',
      "Initiator 'i' does not exist.",
    ],
    [
      'no target to delete',
      [{ deleteTarget: { volumeName: 'v' } }],
      'objectDoesNotExist',
      "Target 'v' does not exist.",
    ],
    ['no target to export', [INITIATOR, EXPORT], 'objectDoesNotExist', "Target 'v' does not exist."],
    [
      'no portal group',
      [INITIATOR, TARGET, { export: { ...EXPORT.export, portalGroup: 'x' } }],
      'objectDoesNotExist',
      "Portal group 'x' does not exist.",
    ],
    ['no initiator to export to', [TARGET, EXPORT], 'objectDoesNotExist', "Initiator 'i' does not exist."],
    [
      'no export to end',
      [INITIATOR, TARGET, EXPORT_DELETE],
      'objectDoesNotExist',
      "Export 'v' does not exist.",
    ],
    [
      'no export in that portal group',
      [INITIATOR, TARGET, EXPORT, { exportDelete: { ...EXPORT_DELETE.exportDelete, portalGroup: 'x' } }],
      'objectDoesNotExist',
      "Export 'v' does not exist.",
    ],
    [
      'an initiator with exports',
      [INITIATOR, TARGET, EXPORT, { deleteInitiator: { name: 'i' } }],
      'busy',
      "Initiator 'i' has exports.",
    ],
    [
      'a target that is exported',
      [INITIATOR, TARGET, EXPORT, { deleteTarget: { volumeName: 'v' } }],
      'busy',
      "Target 'v' is exported.",
    ],
    ['a command that is none', [{ nonsense: {} }], 'invalidParam', unknown],
    ['the name of a member of every object', [{ toString: {} }], 'invalidParam', unknown],
    ['a command that is empty', [{}], 'invalidParam', unknown],
    ['two commands in one', [{ ...INITIATOR, ...TARGET }], 'invalidParam', unknown],
    ['a command that is a text', ['createTarget'], 'invalidParam', unknown],
    ['a command that is a list', [[]], 'invalidParam', unknown],
    [
      'an argument that is missing',
      [{ createInitiator: {} }],
      'invalidParam',
      'iSCSIConfig: createInitiator: "name" is missing.',
    ],
    [
      'an argument of another kind',
      [{ createTarget: { volumeName: 5 } }],
      'invalidParam',
      'iSCSIConfig: createTarget: "volumeName" must be a string.',
    ],
    [
      'an argument too many',
      [{ createTarget: { volumeName: 'v', x: 1 } }],
      'invalidParam',
      'iSCSIConfig: createTarget: there is no "x".',
    ],
    [
      'an argument that is no object',
      [{ createTarget: 'v' }],
      'invalidParam',
      'iSCSIConfig: createTarget: the argument must be an object.',
    ],
    ['unexport, which the API does not have', [{ unexport: {} }], 'invalidParam', unknown],
    [
      'force, which the API does not have',
      [{ exportDelete: { ...EXPORT_DELETE.exportDelete, force: true } }],
      'invalidParam',
      'iSCSIConfig: exportDelete: there is no "force".',
    ],
    [
      'the same portal group',
      [{ createPortalGroup: { name: 'pg' } }],
      'objectExists',
      "Portal group 'pg' already exists.",
    ],
    [
      'no portal group to have a network',
      [{ portalGroupAddNetwork: { portalGroup: 'x', net: '10.0.0.0/8' } }],
      'objectDoesNotExist',
      "Portal group 'x' does not exist.",
    ],
    [
      'a portal group with exports',
      [INITIATOR, TARGET, EXPORT, { deletePortalGroup: { name: 'pg' } }],
      'busy',
      "Portal group 'pg' has exports.",
    ],
    ...['10.0.0.0', '10.0.0.0/33', '10.0.0/8', 5].map((net): [string, unknown[], string, string] => [
      `the network ${net}`,
      [{ portalGroupAddNetwork: { portalGroup: 'pg', net } }],
      'invalidParam',
      'iSCSIConfig: portalGroupAddNetwork: "net" must be a network, for example 10.0.0.0/8.',
    ]),
    [
      'the same portal',
      [PORTAL, { createPortal: { ...PORTAL.createPortal, port: 3260 } }],
      'objectExists',
      "Portal '10.0.0.1:3260' already exists.",
    ],
    [
      'an address that is none',
      [{ createPortal: { ...PORTAL.createPortal, ip: 'x' } }],
      'invalidParam',
      'iSCSIConfig: createPortal: "ip" must be an IPv4 address.',
    ],
    [
      'no portal to delete',
      [PORTAL, { deletePortal: { ip: '10.0.0.1', port: 1 } }],
      'objectDoesNotExist',
      "Portal '10.0.0.1:1' does not exist.",
    ],
  ])('%s', async (_label, commands, code, desc) => {
    const before = await iscsi();
    const error = await failureOf(run(...(commands as ISCSICommand[])), ApiError);
    expect(error).toMatchObject({ code, desc, transient: false });
    expect(await iscsi()).toEqual(before);
  });

  test.each([
    [{}, 'iSCSIConfig: "commands" is missing.'],
    [{ commands: {} }, 'iSCSIConfig: "commands" must be a list.'],
    [[], 'iSCSIConfig: the argument must be an object.'],
    [{ commands: [], force: true }, 'iSCSIConfig: there is no "force".'],
  ])('%j', async (json, desc) => {
    const error = await failureOf(api.call('POST', 'iSCSIConfig', { json }), ApiError);
    expect(error).toMatchObject({ status: 400, code: 'invalidParam', desc });
  });
});
