import { progressNowAndThen } from '../../lib/progress.mjs';

/** What a program finds: figures, and violations, of which none is allowed. */
export class Report {
  #name;
  #figures = {};
  #violations = [];
  #checks = 0;
  #skipped;

  constructor(name) {
    this.#name = name;
  }

  progress(message) {
    progressNowAndThen(`${this.#name}: ${message}`);
  }

  figure(name, value) {
    this.#figures[name] = value;
  }

  check(holds, violation) {
    this.#checks++;
    if (!holds) this.violation(violation);
    return holds;
  }

  violation(words) {
    this.#violations.push(words);
  }

  /** A part of the program cannot run here. */
  skip(reason) {
    this.#skipped = reason;
  }

  verdict() {
    const isSkipped = this.#checks === 0 && this.#skipped !== undefined;
    // A run that has looked at nothing has proved nothing.
    if (this.#checks === 0 && !isSkipped) this.violation('nothing was checked');
    return {
      program: this.#name,
      ok: this.#violations.length === 0,
      ...(isSkipped && { skipped: this.#skipped }),
      checks: this.#checks,
      figures: this.#figures,
      violations: this.#violations,
    };
  }
}
