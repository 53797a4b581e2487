import { defineConfig } from 'vitest/config';

/** They put something in the place of whole modules, which holds for all that runs in the same thread. */
const REPLACING_MODULES = [
  'test/attach/devices.test.ts',
  'test/config/usual-places.test.ts',
  'test/store/file-lock.test.ts',
  'test/store/kernel-lock.test.ts',
  'test/store/lock-directory.test.ts',
];

export default defineConfig({
  test: {
    // Far more than any takes; a machine that has other work is not a failure.
    testTimeout: 30_000,
    expect: { poll: { timeout: 15_000 } },
    // Some tests start processes of their own, and the examples import the package by its name: both run what is built.
    globalSetup: ['test/build.setup.ts'],
    // Many tests wait for timers, disks and processes: more of them at once than there are cores for.
    maxWorkers: '400%',
    // A thread starts sooner than a process.
    pool: 'threads',
    projects: [
      {
        extends: true,
        test: {
          name: 'library',
          include: ['test/**/*.test.ts'],
          exclude: ['test/torture/**', ...REPLACING_MODULES],
          // Loading the sources anew for each of so many files takes longer than most of them run.
          isolate: false,
        },
      },
      { extends: true, test: { name: 'isolated', include: REPLACING_MODULES } },
      { extends: true, test: { name: 'examples', include: ['examples/**/*.test.ts'] } },
    ],
    // `npm run coverage`; .ci/run holds the thresholds.
    coverage: {
      provider: 'v8',
      include: ['src/**'],
      reporter: ['text', 'text-summary'],
      thresholds: { lines: 95, branches: 95, functions: 95, statements: 95 },
    },
  },
});
