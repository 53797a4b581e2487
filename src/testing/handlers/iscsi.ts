import { isIPv4 } from 'node:net';
import type { ISCSI } from '../../api/types.js';
import type { FakeCluster } from '../cluster/cluster.js';
import { checkFields, count, type FieldCheck, type Fields, isRecord, list, string } from '../fields.js';
import { absent, busy, exists, invalid } from '../refusal.js';

interface Initiator {
  name: string;
  username: string;
  secret: string;
  nets: string[];
  exports: { portalGroup: string; target: string }[];
}

interface Target {
  name: string;
  volume: string;
  currentControllerId: number;
}

interface PortalGroup {
  name: string;
  networks?: { address: string; prefix: number }[];
  portals?: Portal[];
}

interface Portal {
  controller: number;
  ip: string;
  port: number;
}

/** The members of all commands; `fields` says which of them a command has. */
interface Argument {
  name: string;
  username?: string;
  secret?: string;
  initiator: string;
  net: string;
  controller: number;
  ip: string;
  port?: number;
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
  entries<Target>(iscsi.targets).find(([, one]) => one.volume === volume);

function target(iscsi: ISCSI, volume: string): [string, Target] {
  const found = findTarget(iscsi, volume);
  if (found === undefined) throw absent('Target', volume);
  return found;
}

const findGroup = (iscsi: ISCSI, name: string) =>
  entries<PortalGroup>(iscsi.portalGroups).find(([, one]) => one.name === name);

function portalGroup(iscsi: ISCSI, name: string): [string, PortalGroup] {
  const found = findGroup(iscsi, name);
  if (found === undefined) throw absent('Portal group', name);
  return found;
}

const groups = (iscsi: ISCSI) => entries<PortalGroup>(iscsi.portalGroups).map(([, group]) => group);

const allExports = (iscsi: ISCSI) => entries<Initiator>(iscsi.initiators).flatMap(([, one]) => one.exports);

const PORT = 3260;
const NO_CONTROLLER = 0;
const isPortal =
  (ip: string, port: number) =>
  (portal: Portal): boolean =>
    portal.ip === ip && portal.port === port;

const ip: FieldCheck = (value) =>
  typeof value === 'string' && isIPv4(value) ? undefined : 'must be an IPv4 address';

const network: FieldCheck = (value) => {
  const [, address = '', prefix] = /^([\d.]+)\/(\d{1,2})$/u.exec(String(value)) ?? [];
  return isIPv4(address) && Number(prefix) <= 32 ? undefined : 'must be a network, for example 10.0.0.0/8';
};

/** The commands of the API, by name. */
const COMMANDS: Record<string, Command> = {
  setBaseName: {
    fields: { 'name!': string },
    run(iscsi, { name }) {
      iscsi.baseName = name;
    },
  },
  createPortalGroup: {
    fields: { 'name!': string },
    run(iscsi, { name }) {
      if (findGroup(iscsi, name)) throw exists('Portal group', name);
      iscsi.portalGroups ??= {};
      iscsi.portalGroups[nextKey(iscsi.portalGroups)] = { name, networks: [], portals: [] };
    },
  },
  deletePortalGroup: {
    fields: { 'name!': string },
    run(iscsi, { name }) {
      const [key] = portalGroup(iscsi, name);
      if (allExports(iscsi).some((one) => one.portalGroup === name)) {
        throw busy(`Portal group '${name}' has exports.`);
      }
      delete iscsi.portalGroups?.[key];
    },
  },
  portalGroupAddNetwork: {
    fields: { 'portalGroup!': string, 'net!': network },
    run(iscsi, { portalGroup: name, net }) {
      const [, group] = portalGroup(iscsi, name);
      const [address = '', prefix] = net.split('/');
      group.networks ??= [];
      group.networks.push({ address, prefix: Number(prefix) });
    },
  },
  createPortal: {
    fields: { 'portalGroup!': string, 'controller!': count, 'ip!': ip, port: count },
    run(iscsi, { portalGroup: name, controller, ip, port = PORT }) {
      const [, group] = portalGroup(iscsi, name);
      if (groups(iscsi).some(({ portals = [] }) => portals.some(isPortal(ip, port)))) {
        throw exists('Portal', `${ip}:${port}`);
      }
      group.portals ??= [];
      group.portals.push({ controller, ip, port });
    },
  },
  deletePortal: {
    fields: { 'ip!': ip, port: count },
    run(iscsi, { ip, port = PORT }) {
      for (const { portals = [] } of groups(iscsi)) {
        const at = portals.findIndex(isPortal(ip, port));
        if (at >= 0) return void portals.splice(at, 1);
      }
      throw absent('Portal', `${ip}:${port}`);
    },
  },
  createInitiator: {
    fields: { 'name!': string, username: string, secret: string },
    run(iscsi, { name, username = '', secret = '' }) {
      iscsi.initiators ??= {};
      if (entries<Initiator>(iscsi.initiators).some(([, one]) => one.name === name)) {
        throw exists('Initiator', name);
      }
      iscsi.initiators[nextKey(iscsi.initiators)] = { name, username, secret, nets: [], exports: [] };
    },
  },
  deleteInitiator: {
    fields: { 'name!': string },
    run(iscsi, { name }) {
      const { exports } = initiator(iscsi, name);
      if (exports.length > 0) throw busy(`Initiator '${name}' has exports.`);
      iscsi.initiators = Object.fromEntries(
        entries<Record<string, unknown>>(iscsi.initiators).filter(([, one]) => one['name'] !== name),
      );
    },
  },
  initiatorAddNetwork: {
    fields: { 'initiator!': string, 'net!': string },
    run(iscsi, { initiator: name, net }) {
      initiator(iscsi, name).nets.push(net);
    },
  },
  createTarget: {
    fields: { 'volumeName!': string },
    run(iscsi, { volumeName }, cluster) {
      const { name } = cluster.find('volume', volumeName);
      if (findTarget(iscsi, name)) throw exists('Target', name);
      iscsi.targets ??= {};
      const [portal] = groups(iscsi).flatMap(({ portals = [] }) => portals);
      iscsi.targets[nextKey(iscsi.targets)] = {
        currentControllerId: portal?.controller ?? NO_CONTROLLER,
        name: `${iscsi.baseName ?? 'iqn'}:${name}`,
        volume: name,
      };
    },
  },
  deleteTarget: {
    fields: { 'volumeName!': string },
    run(iscsi, { volumeName }) {
      const [key, { name }] = target(iscsi, volumeName);
      if (allExports(iscsi).some((one) => one.target === name)) {
        throw busy(`Target '${volumeName}' is exported.`);
      }
      delete iscsi.targets?.[key];
    },
  },
  export: {
    fields: { 'initiator!': string, 'portalGroup!': string, 'volumeName!': string },
    run(iscsi, { volumeName, portalGroup: groupName, initiator: name }) {
      const [, { name: targetName }] = target(iscsi, volumeName);
      portalGroup(iscsi, groupName);
      const { exports } = initiator(iscsi, name);
      if (exports.some((one) => one.target === targetName)) throw exists('Export', volumeName);
      exports.push({ portalGroup: groupName, target: targetName });
    },
  },
  exportDelete: {
    fields: { 'initiator!': string, 'portalGroup!': string, 'volumeName!': string },
    run(iscsi, { volumeName, portalGroup, initiator: name }) {
      const [, { name: targetName }] = target(iscsi, volumeName);
      const { exports } = initiator(iscsi, name);
      const at = exports.findIndex((one) => one.target === targetName && one.portalGroup === portalGroup);
      if (at < 0) throw absent('Export', volumeName);
      exports.splice(at, 1);
    },
  },
};

/** Runs the commands on a copy, which replaces the configuration once all of them have succeeded. */
export function iSCSIConfigChange(cluster: FakeCluster, body: unknown): void {
  const { commands } = checkFields<{ commands: unknown[] }>(body, { 'commands!': list }, 'iSCSIConfig');
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
