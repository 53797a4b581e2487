import { SPLockedJSONDB } from '../../src/index.js';

/** Keeps its warnings in place of printing them. */
export class QuietDB extends SPLockedJSONDB {
  warnings: string[] = [];
  protected override warn(message: string): void {
    this.warnings.push(message);
  }
}
