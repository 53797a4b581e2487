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

/** Makes one call of the API with the options that every call gets. */
type Call = <T>(call: (...options: [ApiCallOptions?]) => Promise<T>) => Promise<T>;

/** Asks the cluster which of the volumes and snapshots it has, side by side. */
export async function existing(
  api: AttachDBApi,
  wanted: readonly WantedVolume[],
  call: Call,
): Promise<(wanted: WantedVolume) => boolean> {
  const names = (snapshot: boolean) =>
    wanted
      .filter((one) => one.snapshot === snapshot && isName(snapshot ? 'snapshot' : 'volume', one.volume))
      .map(({ volume }) => volume);
  const [volumes, snapshots] = await Promise.all([
    present(names(false), api.volumeList?.bind(api), (...options) => api.volumesList(...options), call),
    present(names(true), api.snapshotList?.bind(api), (...options) => api.snapshotsList(...options), call),
  ]);
  return ({ volume, snapshot }) => (snapshot ? snapshots : volumes).has(volume);
}

async function present(
  names: readonly string[],
  readOne: AttachDBApi['volumeList'],
  readAll: AttachDBApi['volumesList'],
  call: Call,
): Promise<ReadonlySet<string>> {
  if (names.length === 0) return new Set();
  const found =
    readOne === undefined || names.length > MOST_BY_NAME
      ? await call(readAll)
      : await readEach(names, (name) => call((...options) => readOne(name, ...options)));
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
