import { tracingChannel } from 'node:diagnostics_channel';
import { type DebugOutput, debugOutput } from './debug.js';

/** What the context objects of all channels have in common. */
interface Operation {
  /** Why it failed; Node.js sets it before `asyncStart` and `asyncEnd`. */
  error?: unknown;
  /** How long it took, in milliseconds; from the end on, that is, before `asyncStart` and `asyncEnd`. */
  duration?: number;
}

/** `storpool:api`: one request to the API. A call that is retried makes several requests. */
export interface ApiEvent extends Operation {
  /** For example `GET` */
  method: string;
  /** For example `Volume/os--volume-1` */
  path: string;
  /** Which request of the call it is: 1 for the first, 2 for the first retry. */
  attempt: number;
  /** The HTTP status of the reply, once there is one. */
  status?: number;
  /** Bytes of the reply, once there is one. */
  bytes?: number;
}

/** `storpool:lock`: the wait for a lock. */
export interface LockEvent extends Operation {
  /** The file, as the caller named it. */
  fname: string;
}

/** `storpool:attach`: attaching a volume or snapshot to this host. */
export interface AttachEvent extends Operation {
  /** The ID of the request that the call is for. */
  reqId: string;
  /** The name of the volume or snapshot. */
  volume: string;
  /** Whether it is a snapshot. */
  snapshot: boolean;
  /** 1 is read-only, 2 is read/write. */
  rights: 1 | 2;
  /** The client ID of this host. */
  clientId: number;
}

/** `storpool:detach`: one `detach()`, or one attempt of `sync()` to detach a volume or snapshot from this host. */
export interface DetachEvent extends Operation {
  /** The ID of the request that the call is for. */
  reqId: string;
  /** The name of the volume or snapshot, as soon as it is known; `null` when the request is not in the cache. */
  volume?: string | null;
  /** Whether it is a snapshot, as soon as it is known. */
  snapshot?: boolean;
  /** The client ID of this host. */
  clientId: number;
  /**
   * The result. `open`: the volume is open, and there is another attempt. `kept`: it is open and must not be forced.
   * The others are the outcomes of `detach()`.
   */
  outcome?: 'detached' | 'forced' | 'kept' | 'open' | 'shared' | 'renewed' | 'notAttached' | 'unknownRequest';
  /** `detach()` only: the other requests that need the volume. */
  neededBy?: string[];
}

/**
 * The context objects of the tracing channels, by the names to pass to `tracingChannel()` of
 * `node:diagnostics_channel`:
 *
 * ```ts
 * tracingChannel<unknown, DiagnosticsEvents['storpool:api']>('storpool:api')
 * ```
 */
export interface DiagnosticsEvents {
  /** One request to the API. */
  'storpool:api': ApiEvent;
  /** The wait for a lock. */
  'storpool:lock': LockEvent;
  /** Attaching a volume or snapshot. */
  'storpool:attach': AttachEvent;
  /** Detaching a volume or snapshot. */
  'storpool:detach': DetachEvent;
}

const channels = {
  'storpool:api': tracingChannel('storpool:api'),
  'storpool:lock': tracingChannel('storpool:lock'),
  'storpool:attach': tracingChannel('storpool:attach'),
  'storpool:detach': tracingChannel('storpool:detach'),
};

const outputs = {
  'storpool:api': debugOutput('storpool:api'),
  'storpool:lock': debugOutput('storpool:lock'),
  'storpool:attach': debugOutput('storpool:attachdb'),
  'storpool:detach': debugOutput('storpool:attachdb'),
};

/**
 * Runs some work, traced in the channel of that name and in the debug output.
 *
 * @param context - what listeners receive; the work may add to it
 *
 * @internal
 */
export function traced<N extends keyof DiagnosticsEvents, T>(
  name: N,
  context: DiagnosticsEvents[N],
  work: () => Promise<T>,
): Promise<T> {
  if (!channels[name].hasSubscribers && !outputs[name].enabled) return work();
  return observed(name, context, work);
}

async function observed<N extends keyof DiagnosticsEvents, T>(
  name: N,
  context: DiagnosticsEvents[N],
  work: () => Promise<T>,
): Promise<T> {
  const start = performance.now();
  const timed = async () => {
    try {
      return await work();
    } finally {
      context.duration = performance.now() - start;
    }
  };
  const output = outputs[name];
  const run = output.enabled ? () => logged(output, context, timed) : timed;
  if (!channels[name].hasSubscribers) return run();
  // Listeners do not receive the result: it is large, or an internal object.
  let result!: T;
  await channels[name].tracePromise(async () => {
    result = await run();
  }, context);
  return result;
}

/** Logs one line when the work has ended: `method=GET path=VolumesList attempt=1 status=200 bytes=512 in 3 ms`. */
async function logged<T>(output: DebugOutput, context: Operation, work: () => Promise<T>): Promise<T> {
  const log = (end: string) => {
    const { duration = 0, ...rest } = context;
    const facts = Object.entries(rest).map(([name, value]) => `${name}=${String(value)}`);
    output('%s in %d ms%s', facts.join(' '), Math.round(duration), end);
  };
  try {
    const result = await work();
    log('');
    return result;
  } catch (error) {
    log(`: ${error instanceof Error ? error.message : String(error)}`);
    throw error;
  }
}
