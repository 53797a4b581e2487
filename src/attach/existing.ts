import { ApiError } from '../api/errors/api-error.js';
import { isName } from '../api/names.js';
import { type AttachDBApi, callOptions, type Named } from './attach-db-api.js';
import type { WantedVolume } from './plan.js';

/**
 * Up to so many volumes, or snapshots, are asked for one by one; for more of them the whole list is read. The
 * list is the quicker way from about 16 names on with 1,000 volumes, from about 250 on with 20,000
 * (`npm run bench:by-name`): 64 costs a small cluster some milliseconds, and spares a large one megabytes.
 */
const MOST_BY_NAME = 64;
/** So many of them at a time: each is a connection to a service that has other hosts to serve. */
const AT_ONCE = 16;

/** Asks the cluster which of the volumes and snapshots it has, all that is to be read side by side. */
export async function readExistence(
  api: AttachDBApi,
  wanted: readonly WantedVolume[],
  signal: AbortSignal | undefined,
): Promise<(wanted: WantedVolume) => boolean> {
  const names = (snapshot: boolean) =>
    wanted
      .filter((one) => one.snapshot === snapshot && isName(snapshot ? 'snapshot' : 'volume', one.volume))
      .map(({ volume }) => volume);
  const [volumes, snapshots] = await Promise.all([
    present(names(false), api.volumeList?.bind(api), (...options) => api.volumesList(...options), signal),
    present(names(true), api.snapshotList?.bind(api), (...options) => api.snapshotsList(...options), signal),
  ]);
  return ({ volume, snapshot }) => (snapshot ? snapshots : volumes).has(volume);
}

async function present(
  names: readonly string[],
  readOne: AttachDBApi['volumeList'],
  readAll: AttachDBApi['volumesList'],
  signal: AbortSignal | undefined,
): Promise<ReadonlySet<string>> {
  if (names.length === 0) return new Set();
  const found =
    readOne === undefined || names.length > MOST_BY_NAME
      ? await readAll(...callOptions(signal))
      : await readEach(names, (name) => readIfThere(readOne, name, signal));
  return new Set(found.map(({ name }) => name));
}

/** Reads side by side, {@link AT_ONCE} at a time. */
async function readEach(
  names: readonly string[],
  read: (name: string) => Promise<readonly Named[]>,
): Promise<Named[]> {
  const found: Named[] = [];
  const left = names.values();
  let failed = false;
  const readOn = async () => {
    for (const name of left) {
      if (failed) return;
      found.push(...(await read(name)));
    }
  };
  const stop = (error: unknown) => {
    failed = true;
    throw error;
  };
  await Promise.all(Array.from({ length: AT_ONCE }, () => readOn().catch(stop)));
  return found;
}

async function readIfThere(
  readOne: NonNullable<AttachDBApi['volumeList']>,
  name: string,
  signal: AbortSignal | undefined,
): Promise<readonly Named[]> {
  try {
    return await readOne(name, ...callOptions(signal));
  } catch (error) {
    if (error instanceof ApiError && error.code === 'objectDoesNotExist') return [];
    throw error;
  }
}
