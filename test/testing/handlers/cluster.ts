import { afterEach, beforeEach, expect, vi } from 'vitest';
import { Api, ApiError, type ApiOptions, SPConfig } from '../../../src/index.js';
import { FakeStorPool, type FakeStorPoolOptions } from '../../../src/testing/index.js';
import { failureOf } from '../../api/failure.js';

export const GIB = 1024 ** 3;
export let fake: FakeStorPool;
export let api: Api;

export async function start(options: FakeStorPoolOptions) {
  await fake?.close();
  fake = await FakeStorPool.start(options);
  api = Api.fromConfig(new SPConfig({ overrideConfig: fake.config }));
}

/** A cluster that is gone at the end of the block. */
export async function begin(options: FakeStorPoolOptions = {}, apiOptions: Partial<ApiOptions> = {}) {
  const cluster = await FakeStorPool.start({ volumes: ['v', 'w'], snapshots: ['s'], ...options });
  const config = new SPConfig({ overrideConfig: cluster.config });
  return {
    fake: cluster,
    api: Api.fromConfig(config, apiOptions),
    attached: () =>
      cluster.attachments.map(({ volume, client, rights, snapshot, pos }) =>
        [volume, client, rights, snapshot ? 'snapshot' : 'volume', pos].join(' '),
      ),
    [Symbol.asyncDispose]: () => cluster.close(),
  };
}

/** A cluster of its own for each test of a file. */
export function useCluster(): void {
  beforeEach(() =>
    start({
      volumes: [
        'v',
        { name: 'small', size: 512, templateName: 't', parentName: 'base', tags: { virt: 'x' } },
      ],
      snapshots: ['s', { name: 'base', size: 1024, templateName: 'u' }],
      templates: [
        { name: 't', size: 2048 },
        { name: 'u', size: '-' },
      ],
    }),
  );
  afterEach(async () => {
    vi.useRealTimers();
    await fake.close();
  });
}

export const volume = (name: string) => fake.volumes.find((one) => one.name === name);
export const snapshot = (name: string) => fake.snapshots.find((one) => one.name === name);

/** The call is refused in that way, and everything is as it was before. */
export async function refuses(call: () => Promise<unknown>, code: string, desc: string) {
  const state = async () =>
    structuredClone([await api.iSCSIConfig(), fake.volumes, fake.snapshots, fake.attachments]);
  const before = await state();
  const error = await failureOf(call(), ApiError);
  expect(error).toMatchObject({ code, desc, transient: false });
  expect(await state()).toEqual(before);
}
