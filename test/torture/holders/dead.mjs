import { mkdirSync, utimesSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { now, quantile, rounded, tail } from '../../lib/stats.mjs';
import { leftBehind } from '../lib/file.mjs';
import { SLACK } from '../lib/scene.mjs';

const STALE = 10_000;
/** By how much the kernel's time of a file may lag behind its clock. */
const TICK = 10;
/** proper-lockfile dates a new directory up to this much into the future, to learn what the file system keeps. */
const PROBE = 1005;
const AT_ONCE = 1000;
const HOUR = 3600;

/** A waiter is in at once when a holder with the kernel lock is killed, though its directory is fresh. */
export async function killedWithKernelLock(scene) {
  const { rounds, within } = scene.options;
  const waits = [];
  const waiter = await scene.actor();
  for (let round = 0; round < rounds; round++) {
    const holder = await scene.actor();
    await holder.ask('hold');
    const waited = waiter.ask('pass');
    await sleep(30);
    scene.check(leftBehind(scene.file) === 'marked', 'there is no marked directory to be left behind');
    const gone = await holder.kill();
    waits.push((await waited).at - gone);
  }
  const half = quantile(waits, 0.5);
  scene.check(half <= within, `half of the waiters waited longer than ${half} ms`);
  scene.check(quantile(waits, 1) < AT_ONCE, `one waited ${quantile(waits, 1)} ms`);
  return { kills: rounds, 'next in after ms': tail(waits) };
}

/** Nobody can know that a holder without it has gone: its directory is respected until it is stale. */
export async function killedWithoutKernelLock(scene) {
  const holder = await scene.actor({ lock: { kernelLock: 'off' } });
  const waiter = await scene.actor();
  const start = now();
  await holder.ask('hold');
  await holder.kill();
  return respected(scene, waiter, start);
}

/** The mark says that the maker had the kernel lock: whoever has that now need not wait. */
export async function leftMarked(scene) {
  const waiter = await scene.actor();
  return atOnce(scene, waiter, leave(scene, 0o1755));
}

/** But it says nothing to one who has no kernel lock himself. */
export async function leftMarkedForOneWithout(scene) {
  const waiter = await scene.actor({ lock: { kernelLock: 'off' } });
  return respected(scene, waiter, leave(scene, 0o1755));
}

export async function leftUnmarked(scene) {
  const waiter = await scene.actor();
  return respected(scene, waiter, leave(scene, 0o755));
}

export async function leftUnmarkedLongAgo(scene) {
  const waiter = await scene.actor();
  const start = leave(scene, 0o755);
  const hourAgo = Date.now() / 1000 - HOUR;
  utimesSync(`${scene.file}.lock`, hourAgo, hourAgo);
  return atOnce(scene, waiter, start);
}

/** proper-lockfile's own, killed. */
export async function leftByPlain(scene) {
  const [waiter, plain] = [await scene.actor(), await scene.actor()];
  const start = now();
  await plain.ask('plainHold');
  await plain.kill();
  return respected(scene, waiter, start, PROBE);
}

/** Makes a lock directory that nobody refreshes. @returns a time before that */
function leave({ file }, mode) {
  const start = now();
  mkdirSync(`${file}.lock`, { mode });
  return start;
}

async function respected(scene, waiter, start, more = 0) {
  const wait = (await waiter.ask('pass')).at - start;
  scene.checkWait(wait, STALE - TICK, STALE + more + SLACK);
  await waiter.ask('add', { key: 'waiter', value: 1 });
  scene.check(scene.content.waiter === 1, 'it could not write');
  return { 'respected for ms': rounded(wait) };
}

async function atOnce(scene, waiter, start) {
  const wait = (await waiter.ask('pass')).at - start;
  scene.checkWait(wait, 0, AT_ONCE);
  return { 'taken over after ms': rounded(wait) };
}
