import { channel } from 'node:diagnostics_channel';
import { lazyDebug } from './debug.js';

/** What all events have. */
interface Ended {
  /** Milliseconds. */
  duration: number;
  /** Why it failed; `undefined` when it did not. Errors of this library hold no secrets. */
  error: unknown;
}

/** `storpool:api`: one request to the API has ended; a call that is sent again makes several of them. */
export interface ApiEvent extends Ended {
  /** As `GET` */
  method: string;
  /** As `Volume/os--volume-1` */
  path: string;
  /** Bytes of the reply; `undefined` without one. */
  bytes: number | undefined;
}

/** `storpool:lock`: the wait for a lock has ended. */
export interface LockEvent extends Ended {
  /** The file, as it was given. */
  fname: string;
}

/** `storpool:attach`: a volume or snapshot was attached to this host, or could not be. */
export interface AttachEvent extends Ended {
  /** The name of the volume or snapshot. */
  volume: string;
  /** Whether it is a snapshot. */
  snapshot: boolean;
  /** 1 is read-only, 2 is read/write. */
  rights: 1 | 2;
  /** The client ID of this host. */
  clientId: number;
}

/** `storpool:detach`: a volume or snapshot was detached from this host, kept, or could not be detached. */
export interface DetachEvent extends Ended {
  /** The name of the volume or snapshot. */
  volume: string;
  /** Whether it is a snapshot. */
  snapshot: boolean;
  /** The client ID of this host. */
  clientId: number;
  /** `kept`: it is open and others need it; `undefined` after an error. */
  outcome: 'detached' | 'forced' | 'kept' | undefined;
}

/** The events by the names of their `node:diagnostics_channel` channels. */
export interface DiagnosticsEvents {
  /** One request to the API has ended. */
  'storpool:api': ApiEvent;
  /** The wait for a lock has ended. */
  'storpool:lock': LockEvent;
  /** A volume was attached, or could not be. */
  'storpool:attach': AttachEvent;
  /** A volume was detached, kept, or could not be detached. */
  'storpool:detach': DetachEvent;
}

const channels = {
  'storpool:api': channel('storpool:api'),
  'storpool:lock': channel('storpool:lock'),
  'storpool:attach': channel('storpool:attach'),
  'storpool:detach': channel('storpool:detach'),
};

const debugs = {
  'storpool:api': lazyDebug('storpool:api'),
  'storpool:lock': lazyDebug('storpool:lock'),
  'storpool:attach': lazyDebug('storpool:attachdb'),
  'storpool:detach': lazyDebug('storpool:attachdb'),
};

/**
 * Does some work and tells whoever listens how it ended.
 *
 * @param facts - what there is to tell before and, given the result, after it
 */
export async function told<N extends keyof DiagnosticsEvents, T>(
  name: N,
  facts: (result: T | undefined) => Omit<DiagnosticsEvents[N], keyof Ended>,
  work: () => Promise<T>,
): Promise<T> {
  const start = performance.now();
  const tell = (result: T | undefined, error: unknown) => {
    if (!channels[name].hasSubscribers && !debugs[name].enabled) return;
    const event = { ...facts(result), duration: performance.now() - start, error };
    channels[name].publish(event);
    debugs[name]('%s', line(event));
  };
  try {
    const result = await work();
    tell(result, undefined);
    return result;
  } catch (error) {
    tell(undefined, error);
    throw error;
  }
}

/** An event for people: `method=GET path=VolumesList bytes=512 in 3 ms`. */
function line({ duration, error, ...facts }: Ended): string {
  const told = Object.entries(facts).map(([name, value]) => `${name}=${String(value)}`);
  const end = error === undefined ? '' : `: ${error instanceof Error ? error.message : String(error)}`;
  return `${told.join(' ')} in ${Math.round(duration)} ms${end}`;
}
