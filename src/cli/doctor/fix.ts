import { lstatSync, unlinkSync } from 'node:fs';
import type { AttachDB } from '../../index.js';
import { survey } from '../host.js';
import { rowsOf } from '../rows.js';
import type { SideFile } from './files.js';
import { type Fix, listed } from './finding.js';

/** What a fix does, for whoever decides on it. */
export function describeFix(fix: Fix, fname: string): string {
  switch (fix.kind) {
    case 'read':
      return `read ${fname} as a service does, which restores it or renews its copy`;
    case 'lock':
      return `wait for the lock on ${fname} for up to 15 s, which removes what is abandoned, and give it back`;
    case 'remove':
      return `remove ${listed(fix.files.map(({ path }) => path))}`;
    case 'drop':
      return `remove from ${fname} the requests ${listed(fix.requests)}`;
  }
}

/** Each under the lock, and only if it is still what was shown. */
export async function applyFix(fix: Fix, db: AttachDB, signal: AbortSignal): Promise<void> {
  switch (fix.kind) {
    case 'read':
      await db.get({ signal });
      return;
    case 'lock':
      return db.withLock(() => undefined, { signal });
    case 'remove':
      return db.withLock(() => fix.files.filter(isSame).forEach(({ path }) => void unlinkSync(path)), {
        signal,
      });
    case 'drop':
      return db.withLock(() => dropStale(fix.requests, db, signal), { signal });
  }
}

const isSame = ({ path, size, mtimeMs }: SideFile) => {
  const now = lstatSync(path, { throwIfNoEntry: false });
  return now?.size === size && now.mtimeMs === mtimeMs;
};

async function dropStale(requests: readonly string[], db: AttachDB, signal: AbortSignal): Promise<void> {
  const rows = rowsOf({ ...(await survey(db, signal)), prefix: db.volumePrefix() });
  const stale = new Set(
    rows.filter(({ verdict }) => verdict.startsWith('stale')).flatMap((row) => row.requests),
  );
  await db.removeKeys(requests.filter((id) => stale.has(id)));
}
