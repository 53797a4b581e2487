import { join, resolve } from 'node:path';
import { AttachError, NotSent } from './attach-error.js';
import { type Host, inAttempts } from './attempts.js';
import { missingDevice, waitForDevices } from './devices.js';
import { attachmentOf, isAttached, isSame } from './identity.js';
import { wantedBy } from './plan.js';
import type { Attached } from './report.js';
import { type AttachRequest, identityOf } from './request.js';

/** `AttachDB.attach()`. It asks first and writes second: what fails before the write leaves nothing to undo. */
export async function attach(host: Host, reqId: string, request: AttachRequest): Promise<Attached> {
  const { fname, deviceDir, deviceTimeout: timeout, signal } = host;
  const undo = `detach(${JSON.stringify(reqId)})`;
  /** If its answer was lost, the next attempt finds the volume attached, by this call. */
  let wasSent = false;

  const { now, alreadyAttached } = await inAttempts(`attach(${reqId})`, host, async (attempt) => {
    const { entries, cluster } = attempt;
    const before = identityOf(entries.get(reqId));
    const wanted = wantedBy(reqId, request);
    // Attached again under its old name, it is still the volume that it was, unless that is gone.
    const isAgain = before.volume === wanted.volume && before.snapshot === wanted.snapshot;
    const asBefore = isAgain ? { globalId: before.globalId, ...wanted } : wanted;

    const [attachments, found] = await Promise.all([cluster.attachments(), cluster.find([asBefore, wanted])]);
    const foundAsBefore = found.get(asBefore) ?? attachmentOf(asBefore, attachments);
    const object = foundAsBefore ?? found.get(wanted);
    const { volume, globalId } = object ?? asBefore;
    const now = { ...wanted, volume, globalId };
    // Replaced by one for another volume, the request would leave the first one attached for good.
    if (before.volume !== '' && !isSame(before, now) && (foundAsBefore || !isAgain)) {
      const other = before.volume === volume ? 'another object of that name' : before.volume;
      throw new AttachError(
        'EBADREQUEST',
        `Request ${reqId} is for ${other} in ${fname}, not for ${volume}: ${undo} first, or use another ID`,
      );
    }
    if (object === undefined) {
      if (entries.delete(reqId)) await attempt.save();
      throw new AttachError(
        'ENOVOLUME',
        `The cluster has no ${wanted.snapshot ? 'snapshot' : 'volume'} ${wanted.volume} for request ${reqId}: check the name${wanted.snapshot ? '' : ' (a snapshot needs volsnap: true)'}, or create it first`,
      );
    }

    entries.set(reqId, { ...request, ...(globalId && { global_id: globalId }) });
    await attempt.save();

    if (isAttached(now, attachments)) return { now, alreadyAttached: !wasSent };
    try {
      await cluster.attach(now);
      return { now, alreadyAttached: false };
    } catch (error) {
      wasSent ||= !(error instanceof NotSent);
      throw error;
    }
  });

  const { volume, snapshot, rights, globalId = null } = now;
  const found = await waitForDevices(deviceDir, [volume], { timeout, signal });
  if (!found.has(volume)) {
    const remedy = alreadyAttached
      ? 'It was attached before this call, so it may be in use'
      : `${undo} undoes the attachment`;
    throw new AttachError('ENODEVICE', `${missingDevice(host, volume)} ${remedy}`);
  }
  const deviceById = globalId && join(`${resolve(deviceDir)}-byid`, globalId);
  return { volume, snapshot, rights, device: join(deviceDir, volume), globalId, deviceById, alreadyAttached };
}
