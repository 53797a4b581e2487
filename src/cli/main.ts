#!/usr/bin/env node
import { createInterface } from 'node:readline/promises';
import { run } from './run.js';
import type { Terminal } from './terminal.js';

const { stdin, stdout, stderr, env } = process;

const interrupted = new AbortController();
const interrupt = () => {
  // Whoever asks a second time is not made to wait for what is being given back.
  if (interrupted.signal.aborted) process.exit(130);
  interrupted.abort();
};
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, interrupt);
// Whoever reads us has gone, "head" for example.
stdout.on('error', () => interrupted.abort());

/** How much room there is; a file has as much as one likes, unless COLUMNS says otherwise. */
const room = (given: string | undefined, of: number | undefined) =>
  of ?? (Number(given) > 0 ? Number(given) : Number.POSITIVE_INFINITY);

const terminal: Terminal = {
  get columns() {
    return room(env['COLUMNS'], stdout.columns);
  },
  get rows() {
    return room(undefined, stdout.rows);
  },
  colour: !env['NO_COLOR'] && (stdout.isTTY || Boolean(env['FORCE_COLOR'])),
  write: (output) => stdout.write(output),
  writeError: (output) => stderr.write(output),
  ...(stdin.isTTY &&
    stderr.isTTY && {
      async ask(question: string, signal: AbortSignal) {
        const lines = createInterface({ input: stdin, output: stderr });
        lines.on('SIGINT', interrupt);
        try {
          return await lines.question(question, { signal });
        } finally {
          lines.close();
        }
      },
    }),
};

process.exitCode = await run(process.argv.slice(2), terminal, interrupted.signal);
