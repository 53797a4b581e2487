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
const EXPORT = { export: { initiator: 'i', portalGroup: 'pg', volumeName: 'v' } };
const UNEXPORT = { unexport: { initiator: 'i', portalGroup: 'pg', volumeName: 'v' } };

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
        nets: ['10.0.0.0/8'],
        exports: [{ portalGroup: 'pg', target: 'iqn.x:v' }],
      },
    },
    targets: { 1: { name: 'iqn.x:v', volume: 'v' } },
  });
  await run({ unexport: { ...UNEXPORT.unexport, force: true } }, { deleteTarget: { volumeName: 'v' } });
  await run({ deleteInitiator: { name: 'i' } });
  expect(await iscsi()).toMatchObject({ initiators: {}, targets: {} });
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
  expect((await iscsi()).targets).toEqual({ 1: { name: 'iqn.x:v', volume: 'v' } });
  await fake.close();
  fake = await FakeStorPool.start({ volumes: ['v'], iscsi: {} });
  api = Api.fromConfig(new SPConfig({ overrideConfig: fake.config }));
  await run(TARGET);
  expect((await iscsi()).targets).toEqual({ 1: { name: 'iqn:v', volume: 'v' } });
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
  await run(UNEXPORT, { deleteTarget: { volumeName: 'v' } }, { deleteInitiator: { name: 'j' } });
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
    ['no export to end', [INITIATOR, TARGET, UNEXPORT], 'objectDoesNotExist', "Export 'v' does not exist."],
    [
      'no export in that portal group',
      [INITIATOR, TARGET, EXPORT, { unexport: { ...UNEXPORT.unexport, portalGroup: 'x' } }],
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
    [
      'a force that is no flag',
      [{ unexport: { ...UNEXPORT.unexport, force: 1 } }],
      'invalidParam',
      'iSCSIConfig: unexport: "force" must be true or false.',
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
