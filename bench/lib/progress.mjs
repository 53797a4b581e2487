const terminal = process.stderr.isTTY === true;
const CLEAR = '\r\x1b[2K';

/** What is being done, on stderr: one line that changes on a terminal, else a line each. */
export function progress(text) {
  process.stderr.write(terminal ? `${CLEAR}${text}` : `${text}\n`);
}

/** Leaves a terminal's line to the results. */
export function endProgress() {
  if (terminal) process.stderr.write(CLEAR);
}
