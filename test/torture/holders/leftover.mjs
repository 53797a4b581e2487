import { mkdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { bootId, identity, lockDirectoryOf, recordPath } from '../../../build/store/lock/holder-record.js';
import { now, rounded } from '../../lib/stats.mjs';
import { PROBE, SLACK, TICK } from '../lib/scene.mjs';

const AT_ONCE = 1000;
const HOUR = 3600;

/**
 * Makes a lock directory that nobody refreshes, with a record of ours that differs in some fields.
 *
 * @param mode - with the sticky bit, that of a holder of the kernel lock
 * @returns a time before that
 */
async function leave({ file }, fields, mode = 0o1755) {
  const start = now();
  const directory = lockDirectoryOf(file);
  mkdirSync(directory, { mode });
  if (fields === undefined) return start;
  const record = {
    pid: 1,
    host: 'elsewhere',
    bootId: bootId(),
    since: new Date().toISOString(),
    kernelLock: true,
    directory: identity(statSync(directory, { bigint: true })),
    ...fields,
  };
  writeFileSync(recordPath(file), JSON.stringify(record));
  return start;
}

async function expectRespected(scene, waiter, start) {
  const { stale } = scene.options;
  const wait = (await waiter.ask('pass')).at - start;
  scene.checkWait(wait, stale - TICK, stale + SLACK);
  return rounded(wait);
}

async function expectAtOnce(scene, waiter) {
  const { wait } = await waiter.ask('pass');
  scene.checkWait(wait, 0, AT_ONCE);
  return rounded(wait);
}

/** The record of a maker with the kernel lock speaks: whoever has the kernel lock now need not wait. */
export async function leftByOurs(scene) {
  const waiter = await scene.actor();
  await leave(scene, {});
  scene.figure({ 'taken over after ms': await expectAtOnce(scene, waiter) });
}

/** But it says nothing to one who has no kernel lock himself. */
export async function leftByOursToOneWithout(scene) {
  const waiter = await scene.actor({ lock: { kernelLock: 'off' } });
  const start = await leave(scene, {});
  scene.figure({ 'respected for ms': await expectRespected(scene, waiter, start) });
}

/** A directory without the mark of a kernel lock holder, and without a record. */
export async function leftWithoutRecord(scene) {
  const waiter = await scene.actor();
  const start = await leave(scene, undefined, 0o755);
  scene.figure({ 'respected for ms': await expectRespected(scene, waiter, start) });
}

/** A record that stayed when its directory went, beside a directory that somebody else has made since. */
export async function leftWithForeignRecord(scene) {
  const waiter = await scene.actor();
  const start = await leave(scene, { directory: '1:1' }, 0o755);
  scene.figure({ 'respected for ms': await expectRespected(scene, waiter, start) });
}

/** The kernel lock of another machine, or of this one before it was started again, proves nothing here. */
export async function leftByAnotherKernel(scene) {
  const waiter = await scene.actor();
  const start = await leave(scene, { bootId: '00000000-0000-4000-8000-000000000000' });
  scene.figure({ 'respected for ms': await expectRespected(scene, waiter, start) });
}

/** proper-lockfile's own, killed: fresh it is respected, of an hour ago it is not. */
export async function leftByPlain(scene) {
  const { stale } = scene.options;
  const waiter = await scene.actor();
  const [fresh, old] = [await scene.actor(), await scene.actor()];

  const start = now();
  await fresh.ask('plainHold', { stale });
  await fresh.kill();
  const entered = await waiter.ask('pass');
  scene.checkWait(entered.at - start, stale - TICK, stale + PROBE + SLACK);

  await old.ask('plainHold', { stale });
  await old.kill();
  const hourAgo = Date.now() / 1000 - HOUR;
  utimesSync(lockDirectoryOf(scene.file), hourAgo, hourAgo);
  scene.figure({
    'respected for ms': rounded(entered.at - start),
    'an old one for ms': await expectAtOnce(scene, waiter),
  });
}

/** The wall clock stands before the time of the directory, which by it never gets old. */
export async function leftAndClockSetBack(scene) {
  const imports = [new URL('./clock-set-back.mjs', import.meta.url).href];
  const waiter = await scene.actor({ imports });
  const { clock } = await waiter.ask('whoAmI');
  scene.check(clock < Date.now() - HOUR * 900, 'its clock was not set back');
  const start = await leave(scene, undefined, 0o755);
  const respected = await expectRespected(scene, waiter, start);
  await waiter.ask('add', { key: 'waiter', value: 1 });
  scene.check(scene.content.waiter === 1, 'it could not write');
  scene.figure({ 'respected for ms': respected });
}
