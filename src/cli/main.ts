#!/usr/bin/env node
import { createInterface } from 'node:readline/promises';
import { run } from './run.js';

const { stdin, stdout, stderr, env } = process;

const interrupted = new AbortController();
const interrupt = () => {
  // Whoever asks a second time is not made to wait for what is being given back.
  if (interrupted.signal.aborted) process.exit(130);
  interrupted.abort();
};
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, interrupt);
// Whoever reads us has gone, "head" for example.
for (const stream of [stdout, stderr]) stream.on('error', () => interrupted.abort());

async function ask(question: string): Promise<string> {
  const lines = createInterface({ input: stdin, output: stderr });
  lines.on('SIGINT', interrupt);
  try {
    return await lines.question(question, { signal: interrupted.signal });
  } finally {
    lines.close();
  }
}

process.exitCode = await run(process.argv.slice(2), {
  // A file has as much room as one likes, unless COLUMNS says otherwise.
  get columns() {
    return stdout.columns || Number(env['COLUMNS']) || Number.POSITIVE_INFINITY;
  },
  get rows() {
    return stdout.rows || Number.POSITIVE_INFINITY;
  },
  colour: !env['NO_COLOR'] && (stdout.isTTY || Boolean(env['FORCE_COLOR'])),
  signal: interrupted.signal,
  write: (output) => stdout.write(output),
  writeError: (output) => stderr.write(output),
  ...(stdin.isTTY && stderr.isTTY && { ask }),
});
