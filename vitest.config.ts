import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    // Far more than any takes; a machine that has other work is not a failure.
    testTimeout: 30_000,
    // Some tests start processes of their own, and the examples import the package by its name: both run what is built.
    globalSetup: ['test/build.setup.ts'],
    projects: [
      { extends: true, test: { name: 'library', include: ['test/**/*.test.ts'] } },
      { extends: true, test: { name: 'examples', include: ['examples/**/*.test.ts'] } },
    ],
    coverage: {
      provider: 'v8',
      include: ['src/**'],
      reporter: ['text', 'text-summary'],
      thresholds: { lines: 95, branches: 95, functions: 95, statements: 95 },
    },
  },
});
