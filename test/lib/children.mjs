import { spawn } from 'node:child_process';

const running = new Set();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
// Without a handler these end the process without 'exit', and the children would go on alone.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(130));

/** Starts a program that does not outlive this one. */
export function start(command, args, options) {
  const child = spawn(command, args, options);
  running.add(child);
  for (const end of ['exit', 'error']) child.on(end, () => running.delete(child));
  return child;
}

/** Resolves when the process has ended. */
export const ended = (child) =>
  child.exitCode !== null || child.signalCode !== null
    ? Promise.resolve()
    : new Promise((resolve) => child.once('exit', () => resolve()));

/** Resolves when the process has ended and all that it wrote has been read. */
export const closed = (child) =>
  new Promise((resolve, reject) => {
    child.on('close', (code, signal) => resolve({ code, signal }));
    child.on('error', reject);
  });

/** Calls back with each whole line that a stream gives. */
export function onLines(stream, callback) {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (data) => {
    const lines = (rest + data).split('\n');
    rest = lines.pop();
    for (const line of lines) callback(line);
  });
}
