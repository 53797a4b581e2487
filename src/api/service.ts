import { debugOutput } from '../observe/debug.js';
import { type ApiEvent, traced } from '../observe/tracing.js';
import { ApiArgumentError } from './errors/api-argument-error.js';
import {
  type ApiOptions,
  type ApiRawCallOptions,
  checkAuth,
  checkHost,
  checkNumber,
  checkPort,
  checkSleep,
  checkSource,
} from './options.js';
import { readReply } from './reply.js';
import { requestPath, toJson } from './request.js';
import { type RetryPolicy, withRetries } from './retry.js';
import { send } from './transport.js';

const debug = debugOutput('storpool:api');

/** The management service: where it is, how it is asked, how long and how often. */
export class Service {
  readonly #host: string;
  readonly #port: number;
  readonly #auth: string;
  readonly #timeout: number;
  readonly #policy: RetryPolicy;
  readonly #source: string | undefined;
  readonly #multiCluster: boolean;
  readonly #maxReplySize: number;

  /** @throws {@link ApiArgumentError} */
  constructor(options: ApiOptions) {
    if (typeof options !== 'object' || options === null) {
      throw new ApiArgumentError('the options of an Api are an object with its token: { auth }');
    }
    this.#host = checkHost(options.host ?? '127.0.0.1');
    this.#port = checkPort(options.port ?? 81);
    this.#auth = checkAuth(options.auth);
    this.#timeout = checkNumber('timeout', options.timeout ?? 300_000, 1);
    this.#policy = {
      retries: checkNumber('transientRetries', options.transientRetries ?? 5, 0),
      delay: checkSleep(options.transientSleep ?? ((retry) => 2 ** retry * 1000)),
    };
    this.#source = checkSource(options.source);
    this.#multiCluster = options.multiCluster ?? false;
    this.#maxReplySize = checkNumber('maxReplySize', options.maxReplySize ?? 96_000_000, 1);
  }

  /** Makes one call. @returns the `data` of the reply */
  async call(method: 'GET' | 'POST', path: string, options: ApiRawCallOptions): Promise<unknown> {
    const { json, multiCluster = false, clusterName, signal } = options;
    if (method !== 'GET' && method !== 'POST') {
      throw new ApiArgumentError(`${String(method)} is not a method of the API: use GET or POST`);
    }
    signal?.throwIfAborted();
    const target = requestPath({ path, multiCluster: multiCluster && this.#multiCluster, clusterName });
    const argument = json === undefined || json === null ? undefined : toJson(json);
    const query = method === 'GET' && argument !== undefined ? `?json=${encodeURIComponent(argument)}` : '';
    const request = {
      host: this.#host,
      port: this.#port,
      source: this.#source,
      method,
      path: target + query,
      headers: { Authorization: `Storpool v1:${this.#auth}` },
      body: method === 'POST' ? argument : undefined,
      timeout: this.#timeout,
      maxReplySize: this.#maxReplySize,
      signal,
    };
    const attempt = () => {
      const context: ApiEvent = { method, path };
      return traced('storpool:api', context, async () => {
        const reply = await send(request);
        context.bytes = reply.body.length;
        return readReply(reply, `${method} ${path}`, this.#auth, `${this.#host}:${this.#port}`);
      });
    };
    const { delay } = this.#policy;
    const retries = options.transientRetries ?? this.#policy.retries;
    const onRetry = (error: unknown, retry: number, wait: number) =>
      debug('%s; retry %d of %d in %d ms', (error as Error).message, retry + 1, retries, wait);
    return withRetries(attempt, { retries, delay }, onRetry, signal);
  }
}
