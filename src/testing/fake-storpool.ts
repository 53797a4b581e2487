import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Attachment, Snapshot, Volume } from '../api/types.js';
import { sleep } from '../async/sleep.js';
import type { ApiCallName } from './call-name.js';
import { checkClient } from './cluster/clients.js';
import { FakeCluster, type FakeClusterOptions, type FakeState } from './cluster/cluster.js';
import { FakeDevices } from './devices.js';
import { type FakeFailure, PlannedFailures } from './failures.js';
import { CustomHandlers, type FakeHandler } from './handlers/custom.js';
import { carryOut } from './handlers/handlers.js';
import { whomToWaitFor } from './handlers/reassign.js';
import { callOf, parseRoute, type Route } from './handlers/route.js';
import { absent, asRefusal, invalid, Refusal } from './refusal.js';
import { type Answer, type FakeReply, type FakeRequest, listen, serve, stop } from './server.js';

/** The options of {@link FakeStorPool.start}. All are optional. */
export interface FakeStorPoolOptions extends FakeClusterOptions {
  /** The client ID of the host under test. Default: `1`. */
  clientId?: number | undefined;
  /** Where to make and remove the device links of that host. Default: nowhere, so no device appears. */
  deviceDir?: string | undefined;
  /** Where to make links by global ID, as in `/dev/storpool-byid`. Default: nowhere. */
  byIdDir?: string | undefined;
  /** Milliseconds from attaching to the device link. Default: `0`. */
  deviceDelay?: number | undefined;
  /** The only token that it accepts. Default: `'1234567890'`. */
  token?: string | undefined;
  /** The port to listen on. Default: a free one. */
  port?: number | undefined;
  /** Called for each request when it arrives. */
  onRequest?: ((request: FakeRequest) => void) | undefined;
  /** Called for each request when it has its reply. */
  onReply?: ((reply: FakeReply) => void) | undefined;
  /** Other clusters that calls with `clusterName` reach, by name. */
  remotes?: Readonly<Record<string, FakeClusterOptions>> | undefined;
}

/**
 * A StorPool management service for tests: a real HTTP server of this process, on a loopback port (a free one by default).
 *
 * ```ts
 * const fake = await FakeStorPool.start({ volumes: ['os--volume-1'] });
 * try {
 *   const api = Api.fromConfig(new SPConfig({ overrideConfig: fake.config }));
 * } finally {
 *   await fake.close();
 * }
 * ```
 */
export class FakeStorPool {
  /** The settings with which a client reaches it: pass them as `overrideConfig`. */
  readonly config: Record<string, string>;
  /** The port that it listens on. */
  readonly port: number;
  /** All requests since the start, in order. */
  readonly requests: FakeRequest[] = [];
  readonly #server: Server;
  readonly #cluster: FakeCluster;
  readonly #remotes: ReadonlyMap<string, FakeCluster>;
  readonly #clientId: number;
  readonly #token: string;
  readonly #deviceDelay: number;
  readonly #devices: FakeDevices;
  readonly #devicesById: FakeDevices;
  readonly #listeners: Pick<FakeStorPoolOptions, 'onRequest' | 'onReply'>;
  readonly #custom = new CustomHandlers();
  readonly #failures = new PlannedFailures();

  private constructor(server: Server, options: FakeStorPoolOptions) {
    const { clientId = 1, token = '1234567890', remotes = {} } = options;
    this.#server = server;
    this.#clientId = checkClient(clientId);
    this.#token = token;
    this.#listeners = options;
    this.#cluster = new FakeCluster(options, clientId);
    this.#remotes = new Map(
      Object.entries(remotes).map(([name, remote]) => [name, new FakeCluster(remote, clientId)]),
    );
    this.#deviceDelay = options.deviceDelay ?? 0;
    this.#devices = new FakeDevices(options.deviceDir, this.#deviceDelay);
    this.#devicesById = new FakeDevices(options.byIdDir, this.#deviceDelay);
    this.#updateDevices();
    this.port = (server.address() as AddressInfo).port;
    this.config = {
      SP_OURID: String(clientId),
      SP_AUTH_TOKEN: token,
      SP_API_HTTP_HOST: '127.0.0.1',
      SP_API_HTTP_PORT: String(this.port),
    };
  }

  /** Starts a service. End it with `await fake.close()`, or declare it with `await using`. */
  static async start(options: FakeStorPoolOptions = {}): Promise<FakeStorPool> {
    const server = await listen(options.port ?? 0);
    try {
      const fake = new FakeStorPool(server, options);
      server.on('request', (request, response) =>
        serve(request, response, (...given) => fake.#onRequest(...given)),
      );
      return fake;
    } catch (error) {
      server.close();
      throw error;
    }
  }

  /** The volumes as they are now. */
  get volumes(): Volume[] {
    return this.#cluster.volumes;
  }

  /** The snapshots as they are now. */
  get snapshots(): Snapshot[] {
    return this.#cluster.snapshots;
  }

  /** The attachments as they are now. */
  get attachments(): Attachment[] {
    return this.#cluster.attachments;
  }

  /** The state of a remote cluster. */
  remote(name: string): FakeState {
    const cluster = this.#remotes.get(name);
    if (cluster === undefined) throw new Error(`There is no remote cluster ${name}: give it in remotes`);
    return cluster;
  }

  /** A virtual machine opens the device: detaching is refused with `busy` until the device is released, unless forced. */
  open(name: string, client: number = this.#clientId): void {
    this.#cluster.open(name, checkClient(client));
  }

  /** The virtual machine closes the device. */
  release(name: string, client: number = this.#clientId): void {
    this.#cluster.release(name, checkClient(client));
  }

  /**
   * Switches a client off: its volumes have no devices, and `volumesReassignWait` waits for it, for at most `attachTimeout`
   * seconds.
   */
  clientOffline(client: number = this.#clientId): void {
    this.#cluster.clients.setOffline(checkClient(client));
    this.#updateDevices();
  }

  /** Switches a client on again. */
  clientOnline(client: number = this.#clientId): void {
    this.#cluster.clients.setOnline(checkClient(client));
    this.#updateDevices();
  }

  /**
   * Makes the next calls of that name fail.
   *
   * @param failure - the error that the API returns, also as an `ApiError`; `'reset'`: the connection is reset; `'hang'`:
   * there is never a reply; `'garbage'`: the reply is not HTTP
   * @param times - how many calls fail; default: `1`
   */
  failNext(call: ApiCallName, failure: FakeFailure, times = 1): void {
    this.#failures.add(call, failure, times);
  }

  /**
   * Sets a handler for a call that the fake does not know, or in place of its own.
   *
   * ```ts
   * fake.on('VolumesSpace', () => [{ name: 'os--volume-1', storedSize: 0, spaceUsed: 0 }]);
   * fake.on('VolumeRebase', ({ name, body }) => { throw new ApiError(409, { error: { name: 'busy' } }); });
   * ```
   *
   * @param path - the path as `Api.call()` takes it: complete, for example `VolumeRebase/os--volume-1`, or only its first
   * part, for all names. A later handler replaces an earlier one, and a complete path takes precedence. The method does not
   * matter.
   */
  on(path: string, handler: FakeHandler): void {
    this.#custom.set(path, handler);
  }

  /** Stops the service, closes all its connections and removes its device links. */
  async close(): Promise<void> {
    this.#devices.update(new Set());
    this.#devicesById.update(new Set());
    this.#cluster.clients.close();
    await stop(this.#server);
  }

  /** The same as {@link close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #onRequest(request: FakeRequest, authorization: string | undefined): Promise<Answer> {
    const begin = performance.now();
    this.requests.push(request);
    this.#listeners.onRequest?.(request);
    return this.#answer(request, authorization).then((answer) => {
      const status = typeof answer === 'string' ? answer : answer.status;
      this.#listeners.onReply?.({ ...request, status, duration: performance.now() - begin });
      return answer;
    });
  }

  async #answer(request: FakeRequest, authorization: string | undefined): Promise<Answer> {
    const route = parseRoute(request.path);
    const call = route && callOf(request.method, route);
    const failure = call && this.#failures.take(call);
    if (typeof failure === 'string') return failure;
    try {
      if (authorization !== `Storpool v1:${this.#token}`) {
        throw new Refusal({ name: 'notAuthorized', descr: 'The authentication token is not the right one.' });
      }
      if (failure !== undefined) throw new Refusal(failure);
      return { status: 200, json: await this.#carryOut(request, route, call) };
    } catch (error) {
      const { status, error: refused } = asRefusal(error);
      return { status, json: { error: refused } };
    }
  }

  async #carryOut(
    request: FakeRequest,
    route: Route | undefined,
    call: ApiCallName | undefined,
  ): Promise<{ generation: number; data: unknown }> {
    const { method, path, body } = request;
    if (route === undefined) throw invalid(`There is no call ${path}.`);
    if (body instanceof SyntaxError) throw invalid(`The argument is not JSON: ${body.message}`);
    const handler = this.#custom.find(route);
    if (handler !== undefined) {
      const data = await handler({ ...request, name: route.name, clusterName: route.remote });
      const { generation } = this.#cluster;
      return { generation, data: data === undefined ? { ok: true, generation } : data };
    }
    if (call === undefined) {
      throw invalid(`There is no call ${path}. Give the fake one with fake.on('${route.path}', handler).`);
    }
    const cluster = route.remote === undefined ? this.#cluster : this.#remotes.get(route.remote);
    if (cluster === undefined) throw absent('Cluster', String(route.remote));
    const answerOf = async (one: FakeCluster) => ({
      data: await carryOut(one, call, route.name, body),
      generation: one.generation,
    });
    if (route.allClusters) {
      const all = [this.#cluster, ...this.#remotes.values()];
      const clusters = await Promise.all(all.map(async (one) => ({ response: await answerOf(one) })));
      return { data: { clusters }, generation: cluster.generation };
    }
    const reply = await answerOf(cluster);
    if (method === 'POST') this.#updateDevices();
    if (call === 'volumesReassignWait') await this.#clientsReady(cluster, body);
    return reply;
  }

  /** Resolves when the clients have caught up: they are online, and the links exist. */
  async #clientsReady(cluster: FakeCluster, body: unknown): Promise<void> {
    const { clients, seconds } = whomToWaitFor(body);
    await cluster.clients.untilOnline(clients, seconds * 1000);
    if (this.#deviceDelay > 0) await sleep(this.#deviceDelay);
  }

  #updateDevices(): void {
    const ours = this.#cluster.clients.isOnline(this.#clientId)
      ? this.#cluster.attached.ofClient(this.#clientId)
      : [];
    this.#devices.update(new Set(ours.map(({ volume }) => volume)));
    this.#devicesById.update(new Set(ours.flatMap(({ globalId }) => globalId ?? [])));
  }
}
