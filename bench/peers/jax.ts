// jax-js on its WebAssembly backend, on one thread.
import type { Side } from '../problems.ts';

/**
 * It starts a thread a core wherever there is a global Worker, which pages have, and which other peers put into Node.
 */
function withoutThreads(): void {
  Reflect.set(globalThis, 'Worker', undefined);
}

/** Its version, which the package tells nobody but Node. */
async function version(): Promise<string> {
  if (typeof document !== 'undefined') return 'jax-js';
  const { readFile } = await import('node:fs/promises');
  const { createRequire } = await import('node:module');
  const main = createRequire(import.meta.url).resolve('@jax-js/jax');
  return `jax-js ${JSON.parse(await readFile(main.replace(/dist.*$/, 'package.json'), 'utf8')).version}`;
}

export async function load(): Promise<Side> {
  // It looks when it is loaded, and again when it compiles.
  withoutThreads();
  const { solve, start } = await import('./jax-problems.ts');
  await start();
  return {
    name: 'jax-js',
    version: `${await version()}, wasm, 1 thread`,
    prepare: (problem) => {
      withoutThreads();
      return { ...solve(problem), enter: withoutThreads };
    },
  };
}
