// For `node --import`: to this process the wall clock stands an hour back.
const HOUR = 3_600_000;
const trueNow = Date.now;
const TrueDate = Date;

Date.now = () => trueNow() - HOUR;
globalThis.Date = class extends TrueDate {
  constructor(...args) {
    if (args.length === 0) super(Date.now());
    else super(...args);
  }
};
