import { fileURLToPath } from 'node:url';

const WITHOUT_KOFFI = fileURLToPath(new URL('./without-koffi.mjs', import.meta.url));

/** The arguments of Node.js with which a process takes the kernel lock that way: `koffi` or `flock`. */
export const nodeArguments = (locker) => (locker === 'flock' ? ['--import', WITHOUT_KOFFI] : []);

/** The way that is open to this very process: what a child was told must be what it does. */
export const presentLocker = () =>
  import('koffi').then(
    () => 'koffi',
    () => 'flock',
  );
