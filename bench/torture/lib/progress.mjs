const EVERY = 3000;
const EVERY_ON_TERMINAL = 100;

/** How far a program is, on stderr: one line that changes on a terminal, else a line every few seconds. */
export class Progress {
  #name;
  #terminal = process.stderr.isTTY === true;
  #last = performance.now();

  constructor(name) {
    this.#name = name;
  }

  show(text) {
    const now = performance.now();
    if (now - this.#last < (this.#terminal ? EVERY_ON_TERMINAL : EVERY)) return;
    this.#last = now;
    process.stderr.write(this.#terminal ? `\r\x1b[2K${this.#name}: ${text}` : `${this.#name}: ${text}\n`);
  }

  end() {
    if (this.#terminal) process.stderr.write('\r\x1b[2K');
  }
}
