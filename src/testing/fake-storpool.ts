import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CALLS } from '../api/calls.js';
import type { Attachment, ReassignWait, Snapshot, Volume } from '../api/types.js';
import { sleep } from '../async/sleep.js';
import type { ApiCallName } from './call-name.js';
import { checkClient, FakeCluster, type FakeClusterOptions, type FakeState } from './cluster.js';
import { FakeDevices } from './devices.js';
import { isCount } from './fields.js';
import { carryOut, type Route, route } from './handlers/route.js';
import { absent, checkFailure, type FakeError, type FakeFailure, invalid, Refusal } from './refusal.js';

/** What {@link FakeStorPool.start} takes. Every option may be left out. */
export interface FakeStorPoolOptions extends FakeClusterOptions {
  /** The client ID of the host under test. Default: `1`. */
  clientId?: number | undefined;
  /** Where to make and remove the device links of that host. Default: none are made. */
  deviceDir?: string | undefined;
  /** Where to make links by the global IDs, as in `/dev/storpool-byid`. Default: none are made. */
  byIdDir?: string | undefined;
  /** Milliseconds from attaching to the device link. Default: `0`. */
  deviceDelay?: number | undefined;
  /** The only token that is let in. Default: `'1234567890'`. */
  token?: string | undefined;
  /** Default: a free one. */
  port?: number | undefined;
  /** Told of each request as it comes. */
  onRequest?: ((request: FakeRequest) => void) | undefined;
  /** Other clusters that `RemoteCommand` reaches, by their names. */
  remotes?: Readonly<Record<string, FakeClusterOptions>> | undefined;
}

/** A request that the fake service got. */
export interface FakeRequest {
  /** `GET` or `POST`. */
  method: string;
  /** The whole path, as `/ctrl/1.0/VolumesReassign`, with the query. */
  path: string;
  /** The parsed JSON; `undefined` without one. */
  body: unknown;
}

/**
 * A StorPool management service for tests: a real HTTP server on a free loopback port of this process.
 *
 * ```ts
 * await using fake = await FakeStorPool.start({ volumes: ['os--volume-1'] });
 * const api = Api.fromConfig(new SPConfig({ overrideConfig: fake.config }));
 * ```
 */
export class FakeStorPool {
  /** The settings that lead to it: give them as `overrideConfig`. */
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
  readonly #tell: ((request: FakeRequest) => void) | undefined;
  /** Whoever waits for a client to come back. */
  readonly #waiting: (() => void)[] = [];
  readonly #failures: { call: ApiCallName; failure: ReturnType<typeof checkFailure>; times: number }[] = [];

  private constructor(server: Server, options: FakeStorPoolOptions) {
    const { clientId = 1, token = '1234567890', remotes = {} } = options;
    this.#server = server;
    this.#clientId = checkClient(clientId);
    this.#token = token;
    this.#tell = options.onRequest;
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

  /** Starts a service with that state. End it with `await fake.close()`, or declare it with `await using`. */
  static async start(options: FakeStorPoolOptions = {}): Promise<FakeStorPool> {
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(options.port ?? 0, '127.0.0.1', resolve);
    });
    try {
      const fake = new FakeStorPool(server, options);
      server.on('request', (request, response) => fake.#onRequest(request, response));
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

  /** A virtual machine opens the device: detaching it is refused with `busy` until it is released, or forced. */
  open(name: string, client: number = this.#clientId): void {
    this.#cluster.open(name, checkClient(client));
  }

  /**
   * The client is switched off: what is attached to it has no device, and `volumesReassignWait` waits for it,
   * `attachTimeout` seconds if that is given.
   */
  leave(client: number = this.#clientId): void {
    this.#cluster.setAway(client, true);
    this.#updateDevices();
  }

  /** The client is back. */
  comeBack(client: number = this.#clientId): void {
    this.#cluster.setAway(client, false);
    this.#updateDevices();
    for (const go of this.#waiting.splice(0)) go();
  }

  /** The device is closed again. */
  release(name: string, client: number = this.#clientId): void {
    this.#cluster.release(name, checkClient(client));
  }

  /**
   * Lets the next calls of that name fail.
   *
   * @param failure - what the API answers, also as an `ApiError`; or `'reset'`: the connection is reset, `'hang'`: no
   * answer ever comes, `'garbage'`: the answer is not HTTP
   * @param times - how many calls. Default: `1`.
   */
  failNext(call: ApiCallName, failure: FakeFailure, times = 1): void {
    if (!Object.hasOwn(CALLS, call)) throw new TypeError(`The API has no call ${String(call)}`);
    if (!isCount(times)) throw new TypeError(`${times} is no number of calls`);
    const checked = checkFailure(failure);
    if (times > 0) this.#failures.push({ call, failure: checked, times });
  }

  /** Ends the service with all its connections, and removes the device links that it made. */
  async close(): Promise<void> {
    this.#devices.update(new Set());
    this.#devicesById.update(new Set());
    for (const go of this.#waiting.splice(0)) go();
    if (!this.#server.listening) return;
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  /** As {@link close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    // A client that goes away in the middle has made no call.
    request.on('error', () => response.destroy());
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      const found = route(method, url);
      const body = parseBody(url, Buffer.concat(chunks).toString('utf8'));
      this.requests.push({ method, path: url, body });
      try {
        this.#tell?.({ method, path: url, body });
      } catch (error) {
        // Whoever waits for the reply must not wait for ever while the error makes its way.
        request.socket.destroy();
        throw error;
      }
      const failure = found && this.#takeFailure(found.call);
      if (failure === 'hang') return;
      if (failure === 'reset') request.socket.resetAndDestroy();
      else if (failure === 'garbage') request.socket.end('garbage, not HTTP\r\n\r\n');
      else {
        this.#answer(
          response,
          () => this.#serve(headers.authorization, found, url, body, failure),
          () => (found?.call === 'volumesReassignWait' ? this.#clientsReady(body) : undefined),
        );
      }
    });
  }

  #serve(
    authorization: string | undefined,
    found: Route | undefined,
    url: string,
    body: unknown,
    failure: FakeError | undefined,
  ): { generation: number; data: unknown } {
    if (authorization !== `Storpool v1:${this.#token}`) {
      throw new Refusal({ name: 'notAuthorized', descr: 'The authentication token is not the right one.' });
    }
    if (found === undefined) throw invalid(`There is no call ${url}.`);
    if (failure !== undefined) throw new Refusal(failure);
    if (body instanceof SyntaxError) throw invalid(`The argument is not JSON: ${body.message}`);
    const cluster = this.#clusterOf(found);
    const data = carryOut(cluster, found, body);
    this.#updateDevices();
    return { generation: cluster.generation, data };
  }

  #clusterOf({ remote }: Route): FakeCluster {
    if (remote === undefined) return this.#cluster;
    const cluster = this.#remotes.get(remote);
    if (cluster === undefined) throw absent('Cluster', remote);
    return cluster;
  }

  /** As the real service does: one answer, and its end is the end of the connection. */
  async #answer(
    response: ServerResponse,
    serve: () => unknown,
    ready: () => Promise<void> | undefined,
  ): Promise<void> {
    let status = 200;
    let reply: unknown;
    try {
      reply = serve();
    } catch (error) {
      const refusal =
        error instanceof Refusal ? error : new Refusal({ name: 'internalError', descr: String(error) });
      status = refusal.status;
      reply = { error: refusal.error };
    }
    response.useChunkedEncodingByDefault = false;
    response.writeHead(status, { 'Content-Type': 'application/json', Connection: 'close' });
    const text = JSON.stringify(reply);
    if (status === 200) await ready();
    response.end(text);
  }

  /** Resolves when the clients have caught up: those that are away are back, and the links are there. */
  async #clientsReady(body: unknown): Promise<void> {
    const { reassign, attachTimeout } = body as ReassignWait;
    const clients = reassign.flatMap(({ rw = [], ro = [] }) => [...rw, ...ro]);
    const end = attachTimeout === undefined ? Number.POSITIVE_INFINITY : Date.now() + attachTimeout * 1000;
    const someAway = () => clients.some((client) => this.#cluster.isAway(client));
    while (someAway() && Date.now() < end && this.#server.listening) {
      await this.#clientReturns(end - Date.now());
    }
    if (this.#deviceDelay > 0) await sleep(this.#deviceDelay);
  }

  #clientReturns(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      if (Number.isFinite(ms)) setTimeout(resolve, ms).unref();
    });
  }

  #takeFailure(call: ApiCallName): FakeFailure | undefined {
    const at = this.#failures.findIndex((one) => one.call === call);
    const planned = this.#failures[at];
    if (planned === undefined) return undefined;
    planned.times--;
    if (planned.times <= 0) this.#failures.splice(at, 1);
    return planned.failure;
  }

  #updateDevices(): void {
    const ours = this.#cluster.attachments.filter(
      ({ client }) => client === this.#clientId && !this.#cluster.isAway(client),
    );
    this.#devices.update(new Set(ours.map(({ volume }) => volume)));
    this.#devicesById.update(new Set(ours.flatMap(({ globalId }) => globalId ?? [])));
  }
}

function parseBody(url: string, text: string): unknown {
  const query = /\?json=(.*)$/u.exec(url)?.[1];
  try {
    if (query !== undefined) return JSON.parse(decodeURIComponent(query));
    return text === '' ? undefined : JSON.parse(text);
  } catch (error) {
    return error instanceof SyntaxError ? error : new SyntaxError(String(error));
  }
}
