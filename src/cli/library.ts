// Stands in for the parts of the library that are being built; goes when they are merged.
import { existsSync } from 'node:fs';
import {
  type Attachment,
  type AttachRequest,
  AttachDB as Base,
  checkRequest,
  type SyncOptions,
} from '../index.js';

export * from '../index.js';

export const VERDICTS = {
  ok: 'ok',
  notAttached: 'not attached',
  stale: 'stale: not in the cluster',
  noRequest: 'attached, but no request',
  readOnly: 'read-only, but read/write wanted',
  noDevice: 'no device',
  otherPrefix: 'not ours: another prefix',
  notARequest: 'not a request',
  unknown: '?',
} as const;
export type Verdict = (typeof VERDICTS)[keyof typeof VERDICTS];
export interface VolumeStatus {
  volume: string;
  snapshot: boolean;
  requests: string[];
  wants: 'rw' | 'ro' | null;
  has: 'rw' | 'ro' | null;
  device: string | null;
  verdict: Verdict;
}
export interface HostStatus {
  client: number;
  prefix: string;
  volumes: VolumeStatus[];
  problems: string[];
}

export class AttachDB extends Base {
  override detach(reqId: string, { signal }: SyncOptions & { force?: 'never' | 'unshared' } = {}) {
    return super.detach(reqId, { signal });
  }

  async status({ signal }: SyncOptions = {}): Promise<HostStatus> {
    const client = this.clientId();
    const prefix = this.volumePrefix();
    const entries = await this.get({ signal });
    const problems: string[] = [];
    const rows = new Map<string, VolumeStatus>();
    const bad: VolumeStatus[] = [];
    const deviceOf = (volume: string) =>
      existsSync(this.devicePath(volume)) ? this.devicePath(volume) : null;
    const rowOf = (volume: string, snapshot: boolean): VolumeStatus => ({
      volume,
      snapshot,
      requests: [],
      wants: null,
      has: null,
      device: deviceOf(volume),
      verdict: VERDICTS.unknown,
    });
    for (const [id, entry] of Object.entries(entries)) {
      try {
        checkRequest(id, entry, `in ${this.fname}`);
      } catch (error) {
        const volume = (entry as AttachRequest | null)?.volume;
        bad.push({
          ...rowOf(typeof volume === 'string' ? volume : '', false),
          requests: [id],
          device: null,
          verdict: VERDICTS.notARequest,
        });
        problems.push((error as Error).message);
        continue;
      }
      const { volume, volsnap, rights } = entry;
      const row = rows.get(volume) ?? rowOf(volume, Boolean(volsnap));
      row.requests.push(id);
      if (rights === 2 && row.wants !== 'rw') Object.assign(row, { snapshot: Boolean(volsnap), wants: 'rw' });
      row.wants ??= 'ro';
      rows.set(volume, row);
    }
    try {
      const attachments: Attachment[] = await this.api().attachmentsList({ signal });
      for (const { volume, snapshot, rights, client: of } of attachments) {
        if (Number(of) !== client) continue;
        const row = rows.get(volume) ?? rowOf(volume, snapshot);
        rows.set(volume, { ...row, has: rights });
      }
      const [volumes, snapshots] = await Promise.all([
        this.api().volumesList({ signal }),
        this.api().snapshotsList({ signal }),
      ]);
      const names = [volumes, snapshots].map((list) => new Set(list.map(({ name }) => name)));
      for (const row of rows.values()) {
        const { volume, wants, has, device, snapshot } = row;
        row.verdict = !volume.startsWith(prefix)
          ? VERDICTS.otherPrefix
          : has === null
            ? names[Number(snapshot)]?.has(volume)
              ? VERDICTS.notAttached
              : VERDICTS.stale
            : wants === null
              ? VERDICTS.noRequest
              : wants === 'rw' && has === 'ro'
                ? VERDICTS.readOnly
                : device === null
                  ? VERDICTS.noDevice
                  : VERDICTS.ok;
      }
    } catch (error) {
      signal?.throwIfAborted();
      for (const row of rows.values()) if (!row.volume.startsWith(prefix)) row.verdict = VERDICTS.otherPrefix;
      problems.push((error as Error).message);
    }
    const volumes = [...rows.values(), ...bad].sort((a, b) => (a.volume < b.volume ? -1 : 1));
    return { client, prefix, volumes, problems };
  }
}
