import { ApiError } from '../api/errors/api-error.js';
import { isName } from '../api/names.js';
import type { ApiCallOptions } from '../api/options.js';
import type { AttachDBApi, Named } from './options.js';
import type { WantedVolume } from './plan.js';

/**
 * The most volumes, or snapshots, to read one by one; for more, the whole list is read. The
 * list is faster from about 16 names with 1,000 volumes, and from about 250 names with 20,000
 * (`npm run bench:by-name`): 64 costs a small cluster a few milliseconds, and saves a large one megabytes.
 */
const MOST_BY_NAME = 64;
/** How many to read at a time, because each takes a connection to a service that also serves other hosts. */
const SIDE_BY_SIDE = 16;

/** A call of the API that returns a list, to be made with the options that every call gets. */
export type ListCall<T> = (...options: [ApiCallOptions?]) => Promise<readonly T[]>;

/** Makes such a call. */
type List = (name: keyof AttachDBApi, call: ListCall<Named>) => Promise<readonly Named[]>;

/** Asks the cluster which of the volumes and snapshots it has, side by side. */
export async function existing(
  api: AttachDBApi,
  wanted: readonly WantedVolume[],
  list: List,
): Promise<(wanted: WantedVolume) => boolean> {
  const names = (snapshot: boolean) =>
    wanted
      .filter((one) => one.snapshot === snapshot && isName(snapshot ? 'snapshot' : 'volume', one.volume))
      .map(({ volume }) => volume);
  const [volumes, snapshots] = await Promise.all([
    present(names(false), api, 'volumeList', 'volumesList', list),
    present(names(true), api, 'snapshotList', 'snapshotsList', list),
  ]);
  return ({ volume, snapshot }) => (snapshot ? snapshots : volumes).has(volume);
}

async function present(
  names: readonly string[],
  api: AttachDBApi,
  one: 'volumeList' | 'snapshotList',
  all: 'volumesList' | 'snapshotsList',
  list: List,
): Promise<ReadonlySet<string>> {
  if (names.length === 0) return new Set();
  const readOne = api[one]?.bind(api);
  const found =
    readOne === undefined || names.length > MOST_BY_NAME
      ? await list(all, (...options) => api[all](...options))
      : await readEach(names, (name) => list(one, (...options) => readOne(name, ...options)));
  return new Set(found.map(({ name }) => name));
}

/** Reads side by side, {@link SIDE_BY_SIDE} at a time, until one fails. */
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
      found.push(...(await unlessMissing(read(name))));
    }
  };
  const stop = (error: unknown) => {
    failed = true;
    throw error;
  };
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, () => readOn().catch(stop)));
  return found;
}

async function unlessMissing(read: Promise<readonly Named[]>): Promise<readonly Named[]> {
  try {
    return await read;
  } catch (error) {
    if (error instanceof ApiError && error.code === 'objectDoesNotExist') return [];
    throw error;
  }
}
