import { isIP } from 'node:net';
import type { SPConfig } from '../config/sp-config.js';
import { SPConfigError } from '../config/sp-config-error.js';
import { ApiArgumentError } from './errors/api-argument-error.js';
import { quote } from './names.js';

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
  /**
   * How often a call is retried: after an error that the service calls transient, a connection that is refused or reset,
   * and a reply that is cut short or not HTTP. Default: `5`.
   *
   * A reset looks the same before and after the service has acted, so a retried POST may be carried out twice. Then
   * `volumeCreate` and a `snapshotCreate` with a name end in the error `objectExists`, a `snapshotCreate` without a name
   * makes two snapshots, `sizeAdd` of `volumeUpdate` counts twice, and a delete ends in `objectDoesNotExist`. Repeating a
   * reassignment does no harm. Each call can choose for itself, see {@link ApiCallOptions.transientRetries}.
   */
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
  /**
   * How often to retry this call. Default: that of the client. `0` makes sure that a POST is not carried out twice.
   */
  transientRetries?: number | undefined;
}

/** What the calls take that can ask all clusters of a multi-cluster setup. */
export interface AllClustersOptions extends ApiCallOptions {
  /** Ask each cluster, in place of this one. */
  allClusters: true;
}

/** What {@link Api.call} takes. */
export interface ApiRawCallOptions extends ApiCallOptions {
  /** The argument: the body of a POST, the `json` parameter of a GET. Null members are left out. */
  json?: unknown;
  /** Whether the call has a multi-cluster form. Default: `false`. */
  multiCluster?: boolean | undefined;
}

/** A client's options with their defaults. @throws {@link ApiArgumentError} */
export function checkOptions(options: ApiOptions) {
  if (typeof options !== 'object' || options === null) {
    throw new ApiArgumentError('the options of an Api are an object with its token: { auth }');
  }
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

/** Where the service is, and the token for it: from the options, else from the settings. @throws {@link SPConfigError} */
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

/** Plain JavaScript may give anything, for example the signal itself. */
export function checkCallOptions(options: ApiCallOptions): void {
  if (typeof options !== 'object' || options === null || 'aborted' in options) {
    throw new ApiArgumentError('the options of a call are an object, for example { signal }');
  }
  const { signal, transientRetries } = options;
  if (signal !== undefined && typeof signal?.throwIfAborted !== 'function') {
    throw new ApiArgumentError(`signal is ${quote(signal)}: give an AbortSignal`);
  }
  if (transientRetries !== undefined) checkNumber('transientRetries', transientRetries, 0);
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
