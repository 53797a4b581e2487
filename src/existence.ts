import { ApiError } from './api/api-error.js';
import { isName } from './api/names.js';
import { type AttachDBApi, callOptions, type Named } from './attach-db-api.js';
import type { WantedVolume } from './sync-plan.js';

/** Up to so many volumes, or snapshots, are asked for one by one; for more of them the whole list is read. */
const MOST_BY_NAME = 16;

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
    present(names(false), api.volumeList?.bind(api), api.volumesList.bind(api), signal),
    present(names(true), api.snapshotList?.bind(api), api.snapshotsList.bind(api), signal),
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
      : (await Promise.all(names.map((name) => readIfThere(readOne, name, signal)))).flat();
  return new Set(found.map(({ name }) => name));
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
