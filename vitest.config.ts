import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

// `vitest run` runs the tests, `vitest run --mode soak` the long ones of test/soak.
export default defineConfig(({ mode }) => ({
  test: {
    include: mode === 'soak' ? ['test/soak/**/*.test.ts'] : ['test/**/*.test.ts'],
    exclude: mode === 'soak' ? [] : ['test/soak/**'],
    testTimeout: mode === 'soak' ? 3_600_000 : 60_000,
    hookTimeout: 120_000,
    // Each file has a process, and so a runtime and a random state, of its own.
    pool: 'forks',
    // Examples name the package; under test that is the source, so that there is one runtime.
    alias: [{ find: /^retrograd$/, replacement: fileURLToPath(new URL('./bindings/index.ts', import.meta.url)) }],
  },
}));
