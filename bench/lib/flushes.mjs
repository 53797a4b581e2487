import { open, rename } from 'node:fs/promises';
import { timed } from '../../test/lib/stats.mjs';

/**
 * What the file system takes for a write that survives a power cut: a flushed copy that is renamed, the flush
 * of the directory, and the flushed write in place.
 */
export async function flushes(workspace, text, times) {
  const copy = `${workspace.dir}/flushed.tmp`;
  const inPlace = await open(`${workspace.dir}/flushed`, 'w');
  const ms = [];
  for (let nr = 0; nr < times; nr++) {
    ms.push(
      await timed(async () => {
        await write(await open(copy, 'w'), text, true);
        await rename(copy, `${workspace.dir}/flushed.backup`);
        const dir = await open(workspace.dir, 'r');
        await dir.sync();
        await dir.close();
        await inPlace.truncate(0);
        await write(inPlace, text, false);
      }),
    );
  }
  await inPlace.close();
  return { ms };
}

async function write(handle, text, close) {
  await handle.write(text, 0);
  await handle.datasync();
  if (close) await handle.close();
}
