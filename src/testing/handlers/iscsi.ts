import type { ISCSI } from '../../api/types.js';
import type { FakeCluster } from '../cluster.js';
import { checkFields, type Fields, flag, isRecord, text } from '../fields.js';
import { absent, busy, exists, invalid } from '../refusal.js';

interface Initiator {
  name: string;
  username: string;
  nets: string[];
  exports: { portalGroup: string; target: string }[];
}

/** The members that the commands have between them; `fields` says which of them each one has. */
interface Argument {
  name: string;
  username?: string;
  initiator: string;
  net: string;
  volumeName: string;
  portalGroup: string;
}

type Command = {
  fields: Fields;
  run(iscsi: ISCSI, argument: Argument, cluster: FakeCluster): void;
};

const entries = <T>(map: Record<string, unknown> | undefined) => Object.entries(map ?? {}) as [string, T][];

const nextKey = (map: Record<string, unknown>) => {
  return String(1 + Math.max(0, ...Object.keys(map).map(Number)));
};

function initiator(iscsi: ISCSI, name: string): Initiator {
  const found = entries<Initiator>(iscsi.initiators).find(([, one]) => one.name === name);
  if (found === undefined) throw absent('Initiator', name);
  return found[1];
}

const findTarget = (iscsi: ISCSI, volume: string) =>
  entries<{ name: string; volume: string }>(iscsi.targets).find(([, one]) => one.volume === volume);

function target(iscsi: ISCSI, volume: string): [string, { name: string; volume: string }] {
  const found = findTarget(iscsi, volume);
  if (found === undefined) throw absent('Target', volume);
  return found;
}

/** The commands that the Cinder driver gives. */
const COMMANDS: Record<string, Command> = {
  createInitiator: {
    fields: { 'name!': text, username: text, secret: text },
    run(iscsi, { name, username = '' }) {
      iscsi.initiators ??= {};
      if (entries<Initiator>(iscsi.initiators).some(([, one]) => one.name === name)) {
        throw exists('Initiator', name);
      }
      iscsi.initiators[nextKey(iscsi.initiators)] = { name, username, nets: [], exports: [] };
    },
  },
  deleteInitiator: {
    fields: { 'name!': text },
    run(iscsi, { name }) {
      const { exports } = initiator(iscsi, name);
      if (exports.length > 0) throw busy(`Initiator '${name}' has exports.`);
      iscsi.initiators = Object.fromEntries(
        entries<Record<string, unknown>>(iscsi.initiators).filter(([, one]) => one['name'] !== name),
      );
    },
  },
  initiatorAddNetwork: {
    fields: { 'initiator!': text, 'net!': text },
    run(iscsi, { initiator: name, net }) {
      initiator(iscsi, name).nets.push(net);
    },
  },
  createTarget: {
    fields: { 'volumeName!': text },
    run(iscsi, { volumeName }, cluster) {
      const { name } = cluster.find('volume', volumeName);
      if (findTarget(iscsi, name)) throw exists('Target', name);
      iscsi.targets ??= {};
      iscsi.targets[nextKey(iscsi.targets)] = { name: `${iscsi.baseName ?? 'iqn'}:${name}`, volume: name };
    },
  },
  deleteTarget: {
    fields: { 'volumeName!': text },
    run(iscsi, { volumeName }) {
      const [key, { name }] = target(iscsi, volumeName);
      const used = entries<Initiator>(iscsi.initiators).some(([, one]) =>
        one.exports.some((one) => one.target === name),
      );
      if (used) throw busy(`Target '${volumeName}' is exported.`);
      delete iscsi.targets?.[key];
    },
  },
  export: {
    fields: { 'initiator!': text, 'portalGroup!': text, 'volumeName!': text },
    run(iscsi, { volumeName, portalGroup, initiator: name }) {
      const [, { name: targetName }] = target(iscsi, volumeName);
      if (!entries<{ name: string }>(iscsi.portalGroups).some(([, one]) => one.name === portalGroup)) {
        throw absent('Portal group', portalGroup);
      }
      const { exports } = initiator(iscsi, name);
      if (exports.some((one) => one.target === targetName)) throw exists('Export', volumeName);
      exports.push({ portalGroup, target: targetName });
    },
  },
  unexport: {
    fields: { 'initiator!': text, 'portalGroup!': text, 'volumeName!': text, force: flag },
    run(iscsi, { volumeName, portalGroup, initiator: name }) {
      const [, { name: targetName }] = target(iscsi, volumeName);
      const { exports } = initiator(iscsi, name);
      const at = exports.findIndex((one) => one.target === targetName && one.portalGroup === portalGroup);
      if (at < 0) throw absent('Export', volumeName);
      exports.splice(at, 1);
    },
  },
};

/** The commands work on a copy, which takes the place of the configuration once all of them have succeeded. */
export function iSCSIConfigChange(cluster: FakeCluster, body: unknown): void {
  const { commands } = checkFields<{ commands: unknown[] }>(
    body,
    { 'commands!': (value) => (Array.isArray(value) ? undefined : 'must be a list') },
    'iSCSIConfig',
  );
  const iscsi = structuredClone(cluster.iscsi);
  for (const given of commands) {
    const [name, ...more] = isRecord(given) ? Object.keys(given) : [];
    const command = name !== undefined && Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
    if (name === undefined || command === undefined || more.length > 0) {
      throw invalid('iSCSIConfig: each command is an object with one member, the name of a known command.');
    }
    const argument = (given as Record<string, unknown>)[name];
    command.run(iscsi, checkFields(argument, command.fields, `iSCSIConfig: ${name}`), cluster);
  }
  cluster.iscsi = iscsi;
}
