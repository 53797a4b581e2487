import { debugOutput } from '../observe/debug.js';
import { type ApiEvent, traced } from '../observe/tracing.js';
import { ApiArgumentError } from './errors/api-argument-error.js';
import { type ApiOptions, type ApiRawCallOptions, resolveApiOptions } from './options.js';
import { readReply } from './reply.js';
import { requestPath, toJson } from './request.js';
import { withRetries } from './retry.js';
import { send } from './transport.js';

const debug = debugOutput('storpool:api');

/** The management service: its address, and how requests are sent and retried. */
export class Service {
  readonly #options: ReturnType<typeof resolveApiOptions>;

  /** @throws {@link ApiArgumentError} */
  constructor(options: ApiOptions) {
    this.#options = resolveApiOptions(options);
  }

  /** Makes one call. @returns the `data` of the reply */
  async call(method: 'GET' | 'POST', path: string, options: ApiRawCallOptions): Promise<unknown> {
    const { host, port, auth, source, maxReplySize, transientSleep } = this.#options;
    const { json, clusterName, signal } = options;
    const { transientRetries: retries = this.#options.transientRetries } = options;
    const timeout = Math.min(options.timeout ?? Number.POSITIVE_INFINITY, this.#options.timeout);
    if (method !== 'GET' && method !== 'POST') {
      throw new ApiArgumentError(`${String(method)} is not a method of the API: use GET or POST`);
    }
    signal?.throwIfAborted();
    const multiCluster = this.#options.multiCluster && options.multiCluster;
    const target = requestPath(path, multiCluster, clusterName);
    const argument = json === undefined || json === null ? undefined : toJson(json);
    const query = method === 'GET' && argument !== undefined ? `?json=${encodeURIComponent(argument)}` : '';
    const request = {
      host,
      port,
      source,
      method,
      path: target + query,
      headers: { Authorization: `Storpool v1:${auth}` },
      body: method === 'POST' ? argument : undefined,
      timeout,
      maxReplySize,
      signal,
    };
    const attempt = (retry: number) => {
      const context: ApiEvent = { method, path, attempt: retry + 1 };
      return traced('storpool:api', context, async () => {
        const reply = await send(request);
        context.status = reply.status;
        context.bytes = reply.body.length;
        return readReply(reply, `${method} ${path}`, auth, `${host}:${port}`);
      });
    };
    const onRetry = (error: unknown, retry: number, wait: number) =>
      debug('%s; retry %d of %d in %d ms', (error as Error).message, retry + 1, retries, wait);
    return withRetries(attempt, { retries, delay: transientSleep }, onRetry, signal);
  }
}
