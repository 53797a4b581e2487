import { isIP } from 'node:net';
import type { SPConfig } from '../config/sp-config.js';
import { SPConfigError } from '../config/sp-config-error.js';
import { problemOfOptions, problemOfSignal } from '../options/known-options.js';
import { ApiArgumentError } from './errors/api-argument-error.js';
import { quote } from './names.js';

/** How an {@link Api} reaches the service. Only `auth` must be given. */
export interface ApiOptions {
  /** Default: `'127.0.0.1'`. */
  host?: string | undefined;
  /** Default: `81`. */
  port?: number | undefined;
  /** The authentication token. It never appears in messages, log lines or inspection. */
  auth: string;
  /** Milliseconds that one request may take, from connecting to the last byte. Default: `300_000`. */
  timeout?: number | undefined;
  /**
   * How often to retry a call: after a transient error of the service, a connection that is refused or reset,
   * or a reply that is cut short or not HTTP. Default: `5`.
   *
   * A reset does not tell whether the service has acted, so a retried POST may be carried out twice. If it is,
   * `volumeCreate` and a `snapshotCreate` with a name fail with `objectExists`, a `snapshotCreate` without a name
   * makes two snapshots, `sizeAdd` of `volumeUpdate` counts twice, and a delete fails with
   * `objectDoesNotExist`. Repeating a reassignment does no harm. Each call can choose its own number, see
   * {@link ApiCallOptions.transientRetries}.
   */
  transientRetries?: number | undefined;
  /**
   * Milliseconds to wait before a retry; `retry` counts from 0.
   * Default: 1000, 2000, 4000, 8000, 16000.
   */
  transientSleep?: ((retry: number) => number) | undefined;
  /** The local address to connect from. Default: the system chooses it. */
  source?: string | undefined;
  /** Whether to use the multi-cluster form of the calls that have one. Default: `false`. */
  multiCluster?: boolean | undefined;
  /** The largest reply to accept, in bytes. Default: `96_000_000`. */
  maxReplySize?: number | undefined;
}

/** @internal */
export const API_OPTIONS: readonly (keyof ApiOptions)[] = [
  'auth',
  'host',
  'port',
  'timeout',
  'transientRetries',
  'transientSleep',
  'source',
  'multiCluster',
  'maxReplySize',
];

/** The options that every call takes as its last argument. */
export interface ApiCallOptions {
  /** The remote cluster that is to carry out the call. Default: this cluster. */
  clusterName?: string | undefined;
  /** Ends the call at once, with its waits and retries; the call throws the signal's reason. */
  signal?: AbortSignal | undefined;
  /**
   * How often to retry this call. Default: as the client. With `0`, a POST is never carried out twice.
   */
  transientRetries?: number | undefined;
  /** Milliseconds that each request of this call may take, if that is less than the client's `timeout`. */
  timeout?: number | undefined;
}

/** The options of the calls that can ask all clusters of a multi-cluster setup. */
export interface AllClustersOptions extends ApiCallOptions {
  /** Ask every cluster instead of only this one. */
  allClusters: true;
}

/** The options of {@link Api.call}. */
export interface ApiRawCallOptions extends ApiCallOptions {
  /** The argument: the body of a POST, the `json` parameter of a GET. Null members are left out. */
  json?: unknown;
  /** Whether the call has a multi-cluster form. Default: `false`. */
  multiCluster?: boolean | undefined;
}

/** A client's options with their defaults. @throws {@link ApiArgumentError} @internal */
export function resolveApiOptions(options: ApiOptions) {
  refuse(problemOfOptions('an Api', options, API_OPTIONS));
  return {
    host: checkHost(options.host ?? '127.0.0.1'),
    port: checkPort(options.port ?? 81),
    auth: checkAuth(options.auth),
    timeout: checkNumber('timeout', options.timeout ?? 300_000, 1),
    transientRetries: checkNumber('transientRetries', options.transientRetries ?? 5, 0),
    transientSleep: checkSleep(options.transientSleep ?? ((retry) => 2 ** retry * 1000)),
    source: checkSource(options.source),
    multiCluster: options.multiCluster ?? false,
    maxReplySize: checkNumber('maxReplySize', options.maxReplySize ?? 96_000_000, 1),
  };
}

/** The address and the token: from the options, else from the settings. @throws {@link SPConfigError} @internal */
export function serviceOf(config: SPConfig, options: Partial<ApiOptions>) {
  const setting = <T>(name: string, check: (value: string) => T): T => {
    const value = config.require(name);
    try {
      return check(value);
    } catch (error) {
      throw new SPConfigError(`${name}: ${(error as Error).message}`, { cause: error });
    }
  };
  if ((options.auth ?? config.require('SP_AUTH_TOKEN')) === '') {
    throw new SPConfigError("SP_AUTH_TOKEN is empty: set it to the cluster's authentication token");
  }
  return {
    auth: options.auth ?? setting('SP_AUTH_TOKEN', checkAuth),
    port:
      options.port ??
      setting('SP_API_HTTP_PORT', (port) => checkPort(/^\d+$/u.test(port) ? Number(port) : port)),
    host: options.host ?? setting('SP_API_HTTP_HOST', checkHost),
  };
}

/**
 * JavaScript callers may pass anything, for example the signal itself.
 *
 * @param more - the options that this call has besides those that all have
 * @internal
 */
export function checkCallOptions(call: string, options: ApiCallOptions, more: readonly string[] = []): void {
  refuse(problemOfOptions(call, options, ['signal', 'transientRetries', 'clusterName', 'timeout', ...more]));
  const { signal, transientRetries, timeout } = options;
  refuse(problemOfSignal(signal));
  if (transientRetries !== undefined) checkNumber('transientRetries', transientRetries, 0);
  if (timeout !== undefined) checkNumber('timeout', timeout, 1);
}

function refuse(problem: string | undefined): void {
  if (problem !== undefined) throw new ApiArgumentError(problem);
}

function checkHost(host: string): string {
  if (typeof host === 'string' && /^[\w.:%-]+$/u.test(host)) return host;
  throw new ApiArgumentError(`${quote(host)} is not a host name or address`);
}

function checkPort(port: unknown): number {
  if (Number.isInteger(port) && Number(port) >= 1 && Number(port) <= 65_535) return Number(port);
  throw new ApiArgumentError(`${quote(port)} is not a port: give a number from 1 to 65535`);
}

/** The message must not show the token. */
function checkAuth(auth: string): string {
  if (typeof auth === 'string' && /^[\x21-\x7e]+$/u.test(auth)) return auth;
  throw new ApiArgumentError(
    'auth must be a non-empty string of printable ASCII characters: give it the value of SP_AUTH_TOKEN',
  );
}

function checkNumber(name: string, value: number, least: number): number {
  if (typeof value === 'number' && value >= least) return value;
  throw new ApiArgumentError(`${name} is ${quote(value)}: give a number of at least ${least}`);
}

function checkSource(source: string | undefined): string | undefined {
  if (source === undefined || isIP(source) !== 0) return source;
  throw new ApiArgumentError(`source is ${quote(source)}: give an IP address of this host`);
}

function checkSleep(sleep: (retry: number) => number): (retry: number) => number {
  if (typeof sleep === 'function') return sleep;
  throw new ApiArgumentError('transientSleep is not a function: give (retry) => milliseconds');
}
