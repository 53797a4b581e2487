// Runs a command as another user: as-user.mjs UID GID,GID COMMAND...
import { run } from '../../dist/cli/run.js';

const [uid, gids, ...args] = process.argv.slice(2);
const groups = gids.split(',').map(Number);
process.setgroups(groups);
process.setgid(groups[0]);
process.setuid(Number(uid));
process.exitCode = await run(
  args,
  {
    columns: Number.POSITIVE_INFINITY,
    rows: Number.POSITIVE_INFINITY,
    colour: false,
    write: (output) => process.stdout.write(output),
    writeError: (output) => process.stderr.write(output),
  },
  new AbortController().signal,
);
