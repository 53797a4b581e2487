// For `node --import`: to this process somebody sets the wall clock an hour forward, and back again, all the time.
const HOUR = 3_600_000;
const TrueDate = Date;
const trueNow = Date.now;
let ahead = 0;

setInterval(() => {
  ahead = HOUR - ahead;
}, 300).unref();
Date.now = () => trueNow() + ahead;
globalThis.Date = class extends TrueDate {
  constructor(...args) {
    if (args.length === 0) super(Date.now());
    else super(...args);
  }
};
