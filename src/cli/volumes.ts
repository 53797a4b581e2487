import { readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Attachment, VERDICTS as V, type Verdict, type VolumeStatus } from '../index.js';
import { type Finding, fault, ok, skipped } from './finding.js';
import { asError, attempt, type Host } from './host.js';
import { readStatus, type Status } from './status.js';
import { listed, MOST, plural, shellWord } from './terminal.js';

type Remedy = [remedy: string, command?: (rows: VolumeStatus[]) => string];

export const LOG_REMEDY = 'The log of the management service says more';

/**
 * What `status` says of the volumes, with a remedy for each verdict.
 *
 * @param attachments - of all clients, or why they are not known
 */
export async function volumeFindings(host: Host, attachments: Attachment[] | Error): Promise<Finding[]> {
  const read = await readStatus(host).catch(asError);
  if (read instanceof Error) return [skipped(read.message)];
  const status = read.report;
  const dir = dirname(host.db.devicePath('-'));
  const { prefix, unanswered } = status;
  const origin = host.db.config().origin('SP_OPENSTACK_VOLUME_PREFIX') ?? 'default';
  const question = clientQuestion(status, host, dir, attachments);
  const named = ({ volume, requests: ids }: VolumeStatus) => volume + (ids[0] ? ` (${listed(ids)})` : '');
  const idsOf = (rows: readonly VolumeStatus[]) => rows.flatMap(({ requests }) => requests);
  const forget = (rows: VolumeStatus[]) => host.command('forget', ...idsOf(rows).slice(0, MOST));
  const kind = ({ snapshot }: VolumeStatus) => (snapshot ? 'snapshot' : 'volume');
  const detachOne = (row: VolumeStatus) => `storpool detach ${kind(row)} ${shellWord(row.volume)} here`;
  const detach = (rows: VolumeStatus[]) => rows.slice(0, MOST).map(detachOne).join('; ');
  const see = `systemctl status storpool_block; ls -l ${shellWord(dir)}; udevadm trigger --subsystem-match=block`;
  const FORGET = 'If nobody needs it any more:';
  const never =
    'A volume without a request is never detached by this library. Its service may attach it again; if nobody uses it:';
  const prefixed = `Is SP_OPENSTACK_VOLUME_PREFIX=${prefix} right (${origin})? ${FORGET}`;
  const remedies: Partial<Record<Verdict, Remedy>> = {
    [V.notAttached]: question
      ? ['Answer the question of the client ID first']
      : [`The next sync() of a service attaches it. ${FORGET}`, forget],
    [V.readOnly]: [`The next sync() of a service changes that. ${FORGET}`, forget],
    [V.noRequest]: [never, detach],
    [V.otherPrefix]: [prefixed, forget],
    [V.stale]: ['The next sync() of a service drops the request; so does --fix, or', forget],
    [V.noDevice]: [`It should be in ${dir}. Are storpool_block and udev running?`, () => see],
  };
  const findings = Object.entries(remedies).flatMap(([verdict, [remedy, command]]) => {
    const rows = status.volumes.filter((row) => row.verdict === verdict && row.finding);
    if (rows.length === 0) return [];
    const message = `${plural(rows.length, 'volume')} ${verdict}: ${listed(rows.map(named))}`;
    const fix = verdict === V.stale ? dropStale(idsOf(rows), host) : null;
    return fault(message, remedy, command?.(rows), { fix });
  });
  if (question !== undefined) findings.unshift(question);
  if (attachments instanceof Error) findings.push(skipped('the API does not say what is attached'));
  else if (unanswered !== null) findings.push(fault(unanswered, LOG_REMEDY));
  return findings.length > 0 ? findings : [ok('what is wanted is attached, and the other way round')];
}

const dropStale = (stale: string[], { db, signal }: Host): Finding['fix'] => ({
  what: `remove from ${db.fname} the requests ${stale.join(', ')}`,
  async apply() {
    const { volumes } = await db.status({ signal });
    const still = volumes.flatMap(({ verdict, requests }) => (verdict === V.stale ? requests : []));
    const both = stale.filter((id) => still.includes(id));
    await db.removeKeys(both, { signal });
  },
});

/** With the client ID of another host nothing seems to be attached here. */
function clientQuestion(
  { clientId, prefix, volumes }: Status,
  { db }: Host,
  dir: string,
  attachments: Attachment[] | Error,
): Finding | undefined {
  if (attachments instanceof Error || volumes.some(({ has }) => has !== null)) return undefined;
  const inDir = attempt(() => readdirSync(dir));
  const devices = inDir instanceof Error ? [] : inDir.filter((name) => name.startsWith(prefix));
  const wanted = volumes.filter(({ requests }) => requests.length > 0).map(({ volume }) => volume);
  const names = new Set([...devices, ...wanted]);
  if (names.size === 0) return undefined;
  const theirs = new Map<number, string[]>();
  for (const { client, volume } of attachments)
    if (names.has(volume)) theirs.set(client, [...(theirs.get(client) ?? []), volume]);
  const others = [...theirs].map(([client, has]) => `client ${client} has ${listed(has)}`);
  const counts = `${plural(wanted.length, 'volume')} wanted here, and ${plural(devices.length, 'device')} in ${dir}`;
  const id = `SP_OURID=${clientId} (${db.config().origin('SP_OURID')})`;
  return fault(
    `Client ${clientId} has nothing attached, but there are ${counts}. Is ${id} the ID of this host?`,
    others.length > 0
      ? `Of these, ${others.join('; ')}. Correct SP_OURID if this host is that client`
      : 'No other client has them, either',
  );
}
