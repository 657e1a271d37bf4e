// The tools as plain JavaScript in build/tools: Node 20 runs no TypeScript.
import { defineConfig } from 'rolldown';

export default defineConfig({
  input: [
    'tools/compile-kernels.ts',
    'tools/generate-kernels.ts',
    'tools/generate-lanes.ts',
    'tools/install-engines.ts',
    'tools/lint-kernels.ts',
    'tools/size.ts',
    'tools/try-mutants.ts',
  ],
  external: [/^node:/, /^assemblyscript/, /^rolldown/],
  platform: 'node',
  tsconfig: false,
  output: { dir: 'build/tools', format: 'esm' },
});
