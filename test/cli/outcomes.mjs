// Runs commands one after the other in one process, and prints their outcomes: outcomes.mjs '[COMMANDS, UID?, GIDS?]'
import { run } from '../../build/cli/run.js';

const [commands, uid, gids] = JSON.parse(process.argv[2]);
if (uid !== undefined) {
  process.setgroups(gids);
  process.setgid(gids[0]);
  process.setuid(uid);
}
const outcomes = [];
for (const args of commands) {
  const outcome = { code: -1, stdout: '', stderr: '' };
  outcome.code = await run(args, {
    columns: Number.POSITIVE_INFINITY,
    rows: Number.POSITIVE_INFINITY,
    colour: false,
    signal: new AbortController().signal,
    write: (output) => {
      outcome.stdout += output;
    },
    writeError: (output) => {
      outcome.stderr += output;
    },
  });
  outcomes.push(outcome);
}
console.log(JSON.stringify(outcomes));
