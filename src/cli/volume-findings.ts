import { readdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Finding, fault, ok } from './findings.js';
import {
  type AttachDB,
  type Attachment,
  type HostStatus,
  VERDICTS,
  type Verdict,
  type VolumeStatus,
} from './library.js';
import { isFinding } from './status.js';
import { listed, MOST, plural, shellWord } from './terminal.js';

export const LOG_REMEDY = 'The log of the management service says more';

interface Scene {
  db: AttachDB;
  /** Of all clients, if they are known. */
  attachments: readonly Attachment[] | undefined;
  originOf(key: string): string | undefined;
  signal: AbortSignal;
}

/** What `status` says of the volumes, with a remedy for each verdict. */
export function volumeFindings(status: HostStatus, scene: Scene): Finding[] {
  const { db, originOf, signal } = scene;
  const rowsWith = (verdict: Verdict) =>
    status.volumes.filter((row) => row.verdict === verdict && isFinding(row));
  const found = (
    verdict: Verdict,
    make: (rows: VolumeStatus[], volumes: string, forgetting: string) => Finding,
  ) => {
    const rows = rowsWith(verdict);
    return rows.length > 0 ? make(rows, plural(rows.length, 'volume'), forget(rows)) : [];
  };
  return [
    clientQuestion(status, scene),
    found(VERDICTS.notAttached, (rows, volumes, forgetting) =>
      fault(
        `${volumes} wanted, but not attached: ${inWords(rows)}`,
        `The next attach() or sync() of a service attaches what is wanted. If nobody needs it: ${forgetting}`,
      ),
    ),
    found(VERDICTS.readOnly, (rows, volumes, forgetting) =>
      fault(
        `${volumes} attached read-only, but wanted read/write: ${inWords(rows)}`,
        `The next attach() or sync() of a service changes that. If nobody needs it: ${forgetting}`,
      ),
    ),
    found(VERDICTS.noRequest, (rows, volumes) =>
      fault(
        `${volumes} attached without a request: ${inWords(rows)}. A volume without a request is never detached by this library`,
        `If it is in use, let its service attach it again, which makes the request. If not: ${detach(rows)}`,
      ),
    ),
    found(VERDICTS.otherPrefix, (rows, volumes, forgetting) =>
      fault(
        `${volumes} wanted whose name does not begin with ${status.prefix}: ${inWords(rows)}`,
        `Is SP_OPENSTACK_VOLUME_PREFIX=${status.prefix} right (${originOf('SP_OPENSTACK_VOLUME_PREFIX') ?? 'default'})? If so: ${forgetting}`,
      ),
    ),
    found(VERDICTS.stale, (rows, _volumes, forgetting) => {
      const stale = rows.flatMap(({ requests }) => requests);
      const drop = async () => {
        const now = new Set(
          (await db.status({ signal })).volumes
            .filter(({ verdict }) => verdict === VERDICTS.stale)
            .flatMap(({ requests }) => requests),
        );
        await db.removeKeys(
          stale.filter((id) => now.has(id)),
          { signal },
        );
      };
      const message = `${plural(stale.length, 'request')} in ${db.fname} for volumes that the cluster does not have: ${listed(stale)}`;
      const fix = { what: `remove from ${db.fname} the requests ${listed(stale)}`, apply: drop };
      return fault(message, `The next sync() removes them; so does --fix, or ${forgetting}`, { fix });
    }),
  ].flat();
}

/** With the client ID of another host nothing seems to be attached here. */
function clientQuestion(
  { client, prefix, volumes }: HostStatus,
  { db, attachments, originOf }: Scene,
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
  return [
    fault(
      `Client ${client} has nothing attached, but there are ${counts}. Is SP_OURID=${client} (${originOf('SP_OURID')}) the ID of this host?`,
      others.length > 0
        ? `Of these, ${others.join('; ')}. Correct SP_OURID if this host is that client`
        : 'No other client has them, either',
    ),
  ];
}

export function deviceFindings({ volumes }: HostStatus, dir: string): Finding {
  const without = volumes.filter(({ verdict }) => verdict === VERDICTS.noDevice);
  if (without.length === 0) return ok(`every wanted volume that is attached has its device in ${dir}`);
  const message = `${plural(without.length, 'attached volume')} without a device in ${dir}: ${inWords(without)}`;
  return fault(
    message,
    `Are storpool_block and udev running on this host? systemctl status storpool_block; udevadm trigger --subsystem-match=block; ls -l ${dir}`,
  );
}

const inWords = (rows: readonly VolumeStatus[]) =>
  listed(
    rows.map(({ volume, requests }) => (requests.length > 0 ? `${volume} (${listed(requests)})` : volume)),
  );

const forget = (rows: readonly VolumeStatus[]) =>
  `storpool-attachdb forget ${rows
    .flatMap(({ requests }) => requests)
    .slice(0, MOST)
    .map(shellWord)
    .join(' ')}`;

const detach = (rows: readonly VolumeStatus[]) =>
  rows
    .slice(0, MOST)
    .map(
      ({ volume, snapshot }) =>
        `storpool detach ${snapshot ? 'snapshot' : 'volume'} ${shellWord(volume)} here`,
    )
    .join('; ');
