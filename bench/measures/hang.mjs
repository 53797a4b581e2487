import { startActor, startService, stopAll, takeTurns } from '../sides.mjs';

const COLUMNS = {
  reference: { kind: 'reference' },
  'ours, apiTimeout 8 s': { kind: 'ours', apiTimeout: 8000 },
  'ours, apiTimeout 1 s': { kind: 'ours', apiTimeout: 1000 },
};

/** While one process attaches and the API accepts its requests and is silent, others add() to the same cache. */
export async function hang({ quick, workspace }) {
  const time = quick ? 12_000 : 25_000;
  const values = await takeTurns('hang', COLUMNS, 1, async ({ kind, ...options }) => {
    const service = await startService(workspace, 10);
    const file = workspace.cache();
    const attaching = await startActor(kind, { file, service, ...options });
    const others = [await startActor('reference', { file }), await startActor('ours', { file })];
    await service.ask('hang');
    const attach = attaching.refuse('attach', { volume: service.free(1)[0] });
    const [python, node] = await Promise.all(others.map((other) => other.ask('addFor', { ms: time })));
    await attaching.kill();
    await Promise.all([attach, stopAll([service, ...others])]);
    return { python, node };
  });
  return {
    title: 'An attach while the API accepts and is silent',
    note: `One process attaches a volume. For ${time / 1000} s, others want the lock: how long they wait at most, and how often they give up.`,
    rows: [
      {
        what: 'longest add() of a Python service, ms',
        values: values(({ python }) => Math.max(...python.ms)),
      },
      { what: 'failures of it', values: values(({ python }) => python.failed) },
      { what: 'longest add() of ours, ms', values: values(({ node }) => Math.max(...node.ms)) },
      { what: 'failures of it', values: values(({ node }) => node.failed) },
    ],
  };
}
