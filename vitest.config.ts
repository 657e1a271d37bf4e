import { fileURLToPath } from 'node:url';
import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config';

/** What runs for more than some seconds a file, or needs more than the kernels; all other tests are units. */
const PROJECTS: Record<string, string[]> = {
  // Kernels, rows and programs against their references, threads, whole trainings: a minute.
  kernels: [
    'test/kernels/**/*.test.ts',
    'test/ops/table.test.ts',
    'test/program/build.test.ts',
    'test/program/random.test.ts',
    'test/threads.test.ts',
    'test/training/training.test.ts',
  ],
  // What users get: the package, the examples, the papers, files on a disk, pages in a browser. Needs `npm run build`.
  package: [
    'test/declarations.test.ts',
    'test/docs.test.ts',
    'test/engine/workers.test.ts',
    'test/examples/**/*.test.ts',
    'test/io/files.test.ts',
    'test/package.test.ts',
    'test/platforms/onnx-pages.test.ts',
    'test/platforms/pages.test.ts',
    'test/platforms/training-pages.test.ts',
  ],
  // As a backend of TensorFlow.js: its own suite of specs, and what that does not ask.
  tfjs: ['test/tfjs/**/*.test.ts'],
  // Several processes, where MPI is installed. Needs `npm run build`.
  distributed: ['test/distributed/**/*.test.ts'],
  // Needs `npm run build:bench`.
  bench: ['test/bench/command.test.ts'],
};

/** Engines and bundlers, those that are installed: `vitest run --mode platforms`. */
const PLATFORMS = ['test/platforms/**/*.test.ts'];

/** Packs and installs what is built. */
const PACKED = 'test/platforms/setup.ts';

/** Crashes and long trainings, for hours: `vitest run --mode soak`. */
const SOAK = ['test/soak/**/*.test.ts'];

const shared = {
  testTimeout: 60_000,
  hookTimeout: 120_000,
  // Each file has a process, and so a runtime and a random state, of its own.
  pool: 'forks' as const,
  setupFiles: ['test/support/seed.ts'],
  // Examples name the package; under test that is the source, so that there is one runtime.
  alias: [{ find: /^retrograd$/, replacement: fileURLToPath(new URL('./bindings/index.ts', import.meta.url)) }],
};

// The projects run one after the other: the benchmarks have the machine to themselves.
const projects = [
  project('unit', ['test/**/*.test.ts'], {
    exclude: [...Object.values(PROJECTS).flat(), ...PLATFORMS, ...SOAK],
    maxWorkers: '100%',
  }),
  ...Object.entries(PROJECTS).map(([name, include], i) =>
    project(name, include, {
      sequence: { groupOrder: i + 1 },
      ...(name === 'kernels' && { maxWorkers: '100%' }),
      ...(name === 'package' && { globalSetup: PACKED, provide: { browsers: ['chromium'] } }),
    }),
  ),
];

const modes: Record<string, typeof projects> = {
  soak: [project('soak', SOAK, { testTimeout: 3_600_000 })],
  platforms: [
    project('platforms', PLATFORMS, {
      globalSetup: PACKED,
      provide: { browsers: ['chromium', 'firefox', 'webkit'] },
      testTimeout: 130_000,
      // Engines have threads of their own.
      fileParallelism: false,
    }),
  ],
};

export default defineConfig(({ mode }) => ({ test: { projects: modes[mode] ?? projects } }));

function project(name: string, include: string[], rest: TestProjectInlineConfiguration['test']) {
  return { test: { ...shared, name, include, ...rest } };
}
