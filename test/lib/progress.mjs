const terminal = process.stderr.isTTY === true;
const CLEAR = '\r\x1b[2K';
/** The shortest time between two lines, in ms. */
const PAUSE = terminal ? 100 : 3000;
let last = performance.now();

/** What is being done, on stderr: one line that changes on a terminal, else a line each, now and then. */
export function progressNowAndThen(message) {
  if (performance.now() - last < PAUSE) return;
  last = performance.now();
  process.stderr.write(terminal ? `${CLEAR}${message}` : `${message}\n`);
}

/** Leaves a terminal's line to the results. */
export function endProgress() {
  if (terminal) process.stderr.write(CLEAR);
}
