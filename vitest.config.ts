import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    // Far more than any takes; a machine that has other work is not a failure.
    testTimeout: 30_000,
    // Some tests start processes of their own, and the examples import the package by its name: both run what is built.
    globalSetup: ['test/build.setup.ts'],
    // Many tests wait for timers, disks and processes: more of them at once than there are cores for.
    maxWorkers: '150%',
    // A thread for each file starts sooner than a process, and holds apart as well what tests change in modules.
    pool: 'threads',
    projects: [
      {
        extends: true,
        test: { name: 'library', include: ['test/**/*.test.ts'], exclude: ['test/torture/**'] },
      },
      { extends: true, test: { name: 'examples', include: ['examples/**/*.test.ts'] } },
      {
        extends: true,
        test: {
          name: 'types',
          include: [],
          typecheck: {
            enabled: true,
            only: true,
            include: ['test/types.test-d.ts'],
            tsconfig: 'test/tsconfig.types.json',
          },
        },
      },
    ],
    coverage: {
      provider: 'v8',
      include: ['src/**'],
      reporter: ['text', 'text-summary'],
      thresholds: { lines: 95, branches: 95, functions: 95, statements: 95 },
    },
  },
});
