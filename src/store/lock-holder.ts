export { describeHolder } from './lock/lock-errors.js';
