import { isIP } from 'node:net';
import { SPConfigError } from '../config/sp-config-error.js';
import { ApiArgumentError } from './errors/api-argument-error.js';

/** How an {@link Api} reaches the service. Only `auth` must be given. */
export interface ApiOptions {
  /** Default: `'127.0.0.1'`. */
  host?: string | undefined;
  /** Default: `81`. */
  port?: number | undefined;
  /** The authentication token. It shows in no message, log line or inspection. */
  auth: string;
  /** Milliseconds that one request may take, from connecting to the last byte. Default: `300_000`. */
  timeout?: number | undefined;
  /** How often a call is sent again after a transient error. Default: `5`. */
  transientRetries?: number | undefined;
  /**
   * Milliseconds to wait before a retry; `retry` counts from 0.
   * Default: 1000, 2000, 4000, 8000, 16000.
   */
  transientSleep?: ((retry: number) => number) | undefined;
  /** The local address to connect from. Default: the system's choice. */
  source?: string | undefined;
  /** Whether the calls that have a multi-cluster form use it. Default: `false`. */
  multiCluster?: boolean | undefined;
  /** Bytes; a larger reply is an error. Default: `96_000_000`. */
  maxReplySize?: number | undefined;
}

/** What every call takes as its last argument. */
export interface ApiCallOptions {
  /** Have the named remote cluster carry out the call. */
  clusterName?: string | undefined;
  /** Ends the call, its waits and its retries at once; the call throws the signal's reason. */
  signal?: AbortSignal | undefined;
}

/** What {@link Api.call} takes. */
export interface ApiRawCallOptions extends ApiCallOptions {
  /** The argument: the body of a POST, the `json` parameter of a GET. Null members are left out. */
  json?: unknown;
  /** Whether the call has a multi-cluster form. Default: `false`. */
  multiCluster?: boolean | undefined;
}

export function checkHost(host: string): string {
  if (typeof host === 'string' && /^[\w.:%-]+$/u.test(host)) return host;
  throw new ApiArgumentError(`${JSON.stringify(host)} is not a host name or address (SP_API_HTTP_HOST)`);
}

export function checkPort(port: number): number {
  if (Number.isInteger(port) && port >= 1 && port <= 65_535) return port;
  throw new ApiArgumentError(`${String(port)} is not a port: give a number from 1 to 65535`);
}

export function portNumber(text: string): number {
  const port = /^\d+$/u.test(text) ? Number(text) : Number.NaN;
  if (port >= 1 && port <= 65_535) return port;
  throw new SPConfigError(`SP_API_HTTP_PORT is ${JSON.stringify(text)}: set it to a number from 1 to 65535`);
}

/** The message cannot show what is wrong with a token. */
export function checkAuth(auth: string): string {
  if (typeof auth === 'string' && /^[\x21-\x7e]+$/u.test(auth)) return auth;
  throw new ApiArgumentError(
    'auth must be a non-empty string of printable ASCII characters: give it the value of SP_AUTH_TOKEN',
  );
}

export function checkNumber(name: string, value: number, least: number): number {
  if (typeof value === 'number' && value >= least) return value;
  throw new ApiArgumentError(`${name} is ${String(value)}: give a number from ${least} on`);
}

export function checkSource(source: string | undefined): string | undefined {
  if (source === undefined || isIP(source) !== 0) return source;
  throw new ApiArgumentError(
    `${JSON.stringify(source)} is not an IP address of this host to connect from (source)`,
  );
}

export function checkSleep(sleep: (retry: number) => number): (retry: number) => number {
  if (typeof sleep === 'function') return sleep;
  throw new ApiArgumentError('transientSleep is not a function: give (retry) => milliseconds');
}

/** A check of what a setting gave. @throws {@link SPConfigError} naming that. */
export function asSetting(setting: string, check: () => unknown): void {
  try {
    check();
  } catch (error) {
    throw new SPConfigError(`${setting}: ${(error as Error).message}`, { cause: error });
  }
}
