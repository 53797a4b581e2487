import { median } from '../../test/lib/stats.mjs';
import { allAtOnce, CROWDS, startService, takeTurns } from '../sides.mjs';

const VOLUMES = 1000;
const COLUMNS = { ...CROWDS, 'ours, 50 calls in one': { kind: 'ours', processes: 1, calls: 50 } };

/** Many at once, each attaching a volume of its own whose device appears after a second. */
export async function concurrent({ quick, workspace }) {
  const service = await startService(workspace, VOLUMES);
  const values = await takeTurns('concurrent', COLUMNS, quick ? 1 : 3, async (crowd) => {
    const volumes = service.free(crowd.calls);
    // Services live long: none of them attaches for the first time.
    const prepare = async (actors) => {
      await service.ask('reset', { deviceDelay: 0 });
      for (const actor of [...actors, ...actors, ...actors]) {
        await actor.ask('attach', { volume: volumes[0] });
        await actor.ask('detach', { volume: volumes[0] });
      }
      await service.ask('reset', { deviceDelay: 1000 });
    };
    const results = await allAtOnce('attach', crowd, { file: workspace.cache(), service, volumes, prepare });
    const times = results.filter((ms) => ms !== null);
    return { succeeded: times.length, median: median(times), longest: Math.max(...times) };
  });
  await service.stop();
  return {
    title: 'Many attaches at once, devices after 1 s',
    note: `N = ${VOLUMES}. All processes are warm. The times are of those that succeed; the others do not get the lock in time.`,
    ratios: [['ours, 16 processes', 'reference, 16 processes']],
    rows: [
      { what: 'succeeded', values: values(({ succeeded }) => succeeded) },
      { what: 'median, ms', values: values((result) => result.median) },
      { what: 'longest, ms', values: values(({ longest }) => longest) },
    ],
  };
}
