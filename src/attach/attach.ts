import { AttachError } from './attach-error.js';
import type { Attempt } from './attempts.js';
import { attachmentOf, type Identity, isAttached, isSame } from './identity.js';
import { wantedBy } from './plan.js';
import { type AttachRequest, identityOf } from './request.js';

/** What one `attach()` remembers from attempt to attempt. */
export interface AttachMemory {
  /** Whether the reassignment was sent; without an answer, it is not known what came of it. */
  sent: boolean;
}

/** The volume or snapshot that is attached, under the name that it has now. */
export interface AttachOutcome {
  volume: string;
  globalId: string | undefined;
  alreadyAttached: boolean;
}

/** One attempt of `attach()`. It asks first and writes second: what fails before the write leaves nothing to undo. */
export async function attachOnce(
  reqId: string,
  request: AttachRequest,
  memory: AttachMemory,
  { cache, cluster }: Attempt,
): Promise<AttachOutcome> {
  const cached = cache.entries.get(reqId);
  const before = cached === undefined ? undefined : identityOf(cached);
  const wanted = wantedBy(reqId, request);
  // Attached again under its old name, it is still the volume that it was.
  const isAgain = before?.volume === wanted.volume && before.snapshot === wanted.snapshot;
  if (isAgain) wanted.globalId ??= before.globalId;

  const [attachments, objects] = await Promise.all([cluster.attachments(), cluster.find([wanted])]);
  const object = objects.get(wanted) ?? attachmentOf(wanted, attachments);
  const volume = object?.volume ?? wanted.volume;
  const globalId = object?.globalId ?? attachmentOf({ ...wanted, volume }, attachments)?.globalId;
  const meant = { ...wanted, volume, globalId };
  if (before?.volume) refuseOther(reqId, before, meant, cache.fname);
  if (object === undefined) {
    if (cache.entries.delete(reqId)) await cache.save();
    throw new AttachError(
      'ENOVOLUME',
      `The cluster has no ${wanted.snapshot ? 'snapshot' : 'volume'} ${wanted.volume} for request ${reqId}: check the name, or create it first`,
    );
  }
  const alreadyAttached = isAttached(meant, attachments);

  cache.entries.set(reqId, { ...request, ...(globalId && { global_id: globalId }) });
  await cache.save();

  const outcome = { volume, globalId, alreadyAttached: alreadyAttached && !memory.sent };
  if (alreadyAttached) return outcome;
  memory.sent = true;
  await cluster.attach(meant);
  return outcome;
}

/** A request that is cached for something else would leave that attached, without a request. */
function refuseOther(reqId: string, before: Identity, meant: Identity, fname: string): void {
  if (isSame(before, meant)) return;
  const what = before.volume === meant.volume ? 'another object of that name' : before.volume;
  throw new AttachError(
    'EBADREQUEST',
    `Request ${reqId} is for ${what} in ${fname}, not for ${meant.volume}: detach(${JSON.stringify(reqId)}) first, or use another ID`,
  );
}
