import { defineConfig } from 'vitest/config';

/** The torture programs in their short form: `npm run test:torture`. */
export default defineConfig({
  test: {
    globalSetup: ['test/build.setup.ts'],
    include: ['test/torture/**/*.test.ts'],
    // Most of the time goes by in waiting.
    maxConcurrency: 4,
  },
});
