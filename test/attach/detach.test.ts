import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type DetachPolicy, detach } from '../../src/attach/detach.js';
import { ApiConnectionError, ApiError, type ReassignEntry } from '../../src/index.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const VOLUME = { volume: 'v', snapshot: false, neededBy: [] };
const POLICY: DetachPolicy = { clientId: 7, retries: 3, delay: 200, mayForce: true };
const refusal = (name: string, descr: string) => new ApiError(409, { error: { name, descr } });
const OPEN = refusal('busy', "Volume 'v' is open at client 7.");

/** Sends entries to an API that answers with these errors first. */
function api(...errors: Error[]) {
  const sent: { entry: ReassignEntry; at: number }[] = [];
  const start = Date.now();
  const reassign = async (entry: ReassignEntry) => {
    sent.push({ entry, at: Date.now() - start });
    const error = errors[sent.length - 1];
    if (error) throw error;
  };
  return { sent, reassign };
}

async function run(
  errors: Error[],
  {
    plan = VOLUME,
    signal,
    ...policy
  }: Partial<DetachPolicy> & { plan?: typeof VOLUME; signal?: AbortSignal } = {},
) {
  const { sent, reassign } = api(...errors);
  const outcome = detach(plan, { ...POLICY, ...policy }, reassign, signal).catch((error: unknown) => ({
    error,
  }));
  await vi.runAllTimersAsync();
  return { sent, outcome: await outcome };
}

const entry = (force: boolean) => ({ volume: 'v', detach: [7], force });

describe('detach', () => {
  test('a volume that nobody has open', async () => {
    expect(await run([])).toEqual({ sent: [{ entry: entry(false), at: 0 }], outcome: 'detached' });
  });

  test('a snapshot', async () => {
    const { sent, outcome } = await run([], { plan: { volume: 's', snapshot: true, neededBy: [] } });
    expect(sent.map(({ entry }) => entry)).toEqual([{ snapshot: 's', detach: [7], force: false }]);
    expect(outcome).toBe('detached');
  });

  test.each(['busy', 'invalidParam'])('waits while it is open (%s)', async (name) => {
    const open = refusal(name, "Volume 'v' is open at client 7.");
    expect(await run([open, open])).toEqual({
      sent: [0, 200, 400].map((at) => ({ entry: entry(false), at })),
      outcome: 'detached',
    });
  });

  test('the last attempt is by force', async () => {
    expect(await run([OPEN, OPEN, OPEN])).toEqual({
      sent: [0, 200, 400, 600].map((at) => ({ entry: entry(at === 600), at })),
      outcome: 'forced',
    });
  });

  test('unless it must not be: then it is kept', async () => {
    expect(await run([OPEN, OPEN, OPEN, OPEN, OPEN], { mayForce: false })).toEqual({
      sent: [0, 200, 400, 600].map((at) => ({ entry: entry(false), at })),
      outcome: 'kept',
    });
  });

  test('without retries the first attempt is the last', async () => {
    expect(await run([], { retries: 0 })).toEqual({
      sent: [{ entry: entry(true), at: 0 }],
      outcome: 'forced',
    });
    expect(await run([OPEN], { retries: 0, mayForce: false })).toEqual({
      sent: [{ entry: entry(false), at: 0 }],
      outcome: 'kept',
    });
  });

  test('an open volume that even force does not get is an error', async () => {
    const { sent, outcome } = await run([OPEN, OPEN, OPEN, OPEN]);
    expect(outcome).toEqual({ error: OPEN });
    expect((outcome as { error: unknown }).error).toBe(OPEN);
    expect(sent).toHaveLength(4);
  });

  test.each([
    ['busy for another reason', refusal('busy', 'the cluster is busy')],
    ['another parameter', refusal('invalidParam', 'No such client')],
    ['another error with that text', refusal('objectDoesNotExist', 'is open at')],
    ['no description', new ApiError(409, { error: { name: 'busy' } })],
    ['no answer', new ApiConnectionError('ETIMEDOUT', 'busy: is open at client 7')],
    ['an error of a mock', Object.assign(new Error('is open at'), { code: 'busy', desc: 'is open at' })],
  ])('%s is thrown at once', async (_label, error) => {
    const { sent, outcome } = await run([error]);
    expect((outcome as { error: unknown }).error).toBe(error);
    expect(sent).toHaveLength(1);
  });

  test('another error is thrown after retries as well', async () => {
    const other = refusal('notAuthorized', 'no');
    const { sent, outcome } = await run([OPEN, other]);
    expect((outcome as { error: unknown }).error).toBe(other);
    expect(sent).toHaveLength(2);
  });

  test('the wait can be aborted', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const { sent, reassign } = api(OPEN, OPEN);
    const detached = detach(VOLUME, { ...POLICY, delay: 60_000 }, reassign, controller.signal);
    const outcome = expect(detached).rejects.toBe(reason);
    await vi.advanceTimersByTimeAsync(10);
    controller.abort(reason);
    await outcome;
    expect(sent).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });
});
