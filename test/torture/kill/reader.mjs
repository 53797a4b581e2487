import { SPLockedJSONDB } from 'storpool-spopenstack';

/** Warns into a list instead of onto the terminal. */
export class Reader extends SPLockedJSONDB {
  warnings = [];

  warn(message) {
    this.warnings.push(message);
  }
}
