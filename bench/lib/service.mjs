import { fileURLToPath } from 'node:url';
import { ended, startModule } from '../../test/lib/children.mjs';
import { ourVolumes, volumeName } from './inventory.mjs';

const SERVER = fileURLToPath(new URL('../server.mjs', import.meta.url));

/** The API server, seen from the program that measures. */
export class Service {
  port;
  /** Made by the server, so that clients find the devices of what they attach there. */
  deviceDir;
  #child;
  #size;

  constructor(child, size, deviceDir) {
    this.#child = child;
    this.#size = size;
    this.deviceDir = deviceDir;
  }

  /** A cluster of N volumes, N/2 snapshots and N/2 attachments, if not said otherwise. */
  static async start(workspace, { volumes, snapshots = volumes / 2, attachments = volumes / 2, ...more }) {
    const deviceDir = workspace.devices();
    const size = { volumes, snapshots, attachments };
    const child = startModule(SERVER, [JSON.stringify({ ...size, deviceDir, ...more })]);
    const service = new Service(child, size, deviceDir);
    ({ port: service.port } = await service.#reply());
    return service;
  }

  /** Volumes that are attached nowhere, of which no two calls need share one. */
  freeVolumes(count, skip = 0) {
    const last = this.#size.volumes - 1 - skip;
    if (last - count < this.#size.attachments - 1) throw new Error(`There are no ${count} free volumes`);
    return Array.from({ length: count }, (_, index) => volumeName(last - index));
  }

  /** What this host has attached from the start. */
  get ours() {
    return ourVolumes(this.#size.attachments);
  }

  /** Detaches everything that was attached meanwhile. */
  reset(options = {}) {
    return this.#ask('reset', options);
  }

  /** Somebody has these volumes open from now on. */
  open(volumes) {
    return this.#ask('open', volumes);
  }

  /** Nobody answers for so many milliseconds. */
  down(ms) {
    return this.#ask('down', ms);
  }

  /** When the last device link was made. */
  lastLink() {
    return this.#ask('lastLink');
  }

  /** Requests and bytes since the last call, by API call. */
  async traffic() {
    const calls = Object.entries(await this.#ask('traffic'));
    const sum = (member) => calls.reduce((whole, [, counted]) => whole + counted[member], 0);
    return { requests: sum('requests'), bytes: sum('sent'), calls: Object.fromEntries(calls) };
  }

  async stop() {
    this.#child.disconnect();
    await ended(this.#child);
  }

  #ask(command, argument) {
    this.#child.send({ command, argument });
    return this.#reply();
  }

  #reply() {
    return new Promise((resolve, reject) => {
      const onExit = () => reject(new Error('The server has ended'));
      this.#child.once('exit', onExit);
      this.#child.once('message', ({ result }) => {
        this.#child.off('exit', onExit);
        resolve(result);
      });
    });
  }
}
