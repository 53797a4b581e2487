import { SPLockedFile } from '../../src/index.js';

/** Another object of this process takes the lock. @returns what gives it back */
export async function heldByAnother(fname: string): Promise<() => Promise<void>> {
  let release: () => void = () => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  let held: Promise<void> | undefined;
  await new Promise<void>((isHeld) => {
    held = new SPLockedFile(fname).withLock(() => {
      isHeld();
      return released;
    });
  });
  return async () => {
    release();
    await held;
  };
}
