import { readdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Attachment, type HostStatus, VERDICTS, type Verdict, type VolumeStatus } from '../index.js';
import { type Finding, fault, ok } from './findings.js';
import type { Cache } from './host.js';
import { isFinding } from './status.js';
import { listed, MOST, plural, shellWord } from './terminal.js';

export const LOG_REMEDY = 'The log of the management service says more';

interface Scene {
  cache: Cache;
  /** Of all clients, if they are known. */
  attachments: readonly Attachment[] | undefined;
  originOf(key: string): string | undefined;
  signal: AbortSignal;
}

const FORGET = 'If nobody needs it any more:';

/** What `status` says of the volumes, with a remedy for each verdict. */
export function volumeFindings(status: HostStatus, scene: Scene): Finding[] {
  const { prefix } = status;
  const origin = scene.originOf('SP_OPENSTACK_VOLUME_PREFIX') ?? 'default';
  const found = (verdict: Verdict, words: string, more: (rows: VolumeStatus[]) => Partial<Finding>) => {
    const rows = status.volumes.filter((row) => row.verdict === verdict && isFinding(row));
    if (rows.length === 0) return [];
    return fault(`${plural(rows.length, 'volume')} ${words}: ${inWords(rows)}`, more(rows));
  };
  const question = clientQuestion(status, scene);
  return [
    question,
    found(VERDICTS.notAttached, 'wanted, but not attached', (rows) =>
      question.length > 0
        ? { remedy: 'Answer the question of the client ID first' }
        : {
            remedy: `Drivers that use sync() attach what is wanted at their next step. ${FORGET}`,
            command: forget(rows, scene),
          },
    ),
    found(VERDICTS.readOnly, 'attached read-only, but wanted read/write', (rows) => ({
      remedy: `Drivers that use sync() change that at their next step. ${FORGET}`,
      command: forget(rows, scene),
    })),
    found(VERDICTS.noRequest, 'attached without a request', (rows) => ({
      remedy:
        'A volume without a request is never detached by this library. If it is in use, let its service attach it again, which makes the request. If not:',
      command: detach(rows),
    })),
    found(VERDICTS.otherPrefix, `wanted whose name does not begin with ${prefix}`, (rows) => ({
      remedy: `Is SP_OPENSTACK_VOLUME_PREFIX=${prefix} right (${origin})? ${FORGET}`,
      command: forget(rows, scene),
    })),
    found(VERDICTS.stale, 'wanted that the cluster does not have', (rows) => ({
      remedy: 'Drivers that use sync() remove the requests at their next step; so does --fix, or',
      command: forget(rows, scene),
      fix: dropStale(rows, scene),
    })),
  ].flat();
}

function dropStale(rows: readonly VolumeStatus[], { cache: { db }, signal }: Scene) {
  const stale = rows.flatMap(({ requests }) => requests);
  return {
    what: `remove from ${db.fname} the requests ${stale.join(', ')}`,
    apply: async () => {
      const { volumes } = await db.status({ signal });
      const still = volumes
        .filter(({ verdict }) => verdict === VERDICTS.stale)
        .flatMap(({ requests }) => requests);
      await db.removeKeys(
        stale.filter((id) => still.includes(id)),
        { signal },
      );
    },
  };
}

/** With the client ID of another host nothing seems to be attached here. */
function clientQuestion(
  { client, prefix, volumes }: HostStatus,
  { cache: { db }, attachments, originOf }: Scene,
): Finding[] {
  if (attachments === undefined || volumes.some(({ has }) => has !== null)) return [];
  const dir = dirname(db.devicePath('-'));
  const isThere = statSync(dir, { throwIfNoEntry: false })?.isDirectory();
  const devices = isThere ? readdirSync(dir).filter((name) => name.startsWith(prefix)) : [];
  const wanted = volumes.filter(({ requests }) => requests.length > 0).map(({ volume }) => volume);
  const names = new Set([...devices, ...wanted]);
  if (names.size === 0) return [];
  const others = [...new Set(attachments.map((one) => one.client))].flatMap((other) => {
    const theirs = attachments.filter((one) => one.client === other && names.has(one.volume));
    return theirs.length > 0 ? `client ${other} has ${listed(theirs.map((one) => one.volume))}` : [];
  });
  const counts = `${plural(wanted.length, 'volume')} wanted here, and ${plural(devices.length, 'device')} in ${dir}`;
  const question = `Is SP_OURID=${client} (${originOf('SP_OURID')}) the ID of this host?`;
  const remedy =
    others.length > 0
      ? `Of these, ${others.join('; ')}. Correct SP_OURID if this host is that client`
      : 'No other client has them, either';
  return [fault(`Client ${client} has nothing attached, but there are ${counts}. ${question}`, { remedy })];
}

export function deviceFinding({ volumes }: HostStatus, dir: string): Finding {
  const without = volumes.filter(({ verdict }) => verdict === VERDICTS.noDevice);
  if (without.length === 0) return ok(`every wanted volume that is attached has its device in ${dir}`);
  return fault(
    `${plural(without.length, 'attached volume')} without a device in ${dir}: ${inWords(without)}`,
    {
      remedy: 'Are storpool_block and udev running on this host?',
      command: `systemctl status storpool_block; ls -l ${shellWord(dir)}; udevadm trigger --subsystem-match=block`,
    },
  );
}

const inWords = (rows: readonly VolumeStatus[]) =>
  listed(
    rows.map(({ volume, requests }) => (requests.length > 0 ? `${volume} (${listed(requests)})` : volume)),
  );

const forget = (rows: readonly VolumeStatus[], { cache }: Scene) =>
  cache.command('forget', ...rows.flatMap(({ requests }) => requests).slice(0, MOST));

const detach = (rows: readonly VolumeStatus[]) =>
  rows
    .slice(0, MOST)
    .map(
      ({ volume, snapshot }) =>
        `storpool detach ${snapshot ? 'snapshot' : 'volume'} ${shellWord(volume)} here`,
    )
    .join('; ');
