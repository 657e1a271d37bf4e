// What a user may have to download, in bytes by gzip -9. `npm run size` holds it, in CI too.

interface Limit {
  readonly what: string;
  /** A file, or a part of a program of size.ts. */
  readonly file: string;
  readonly limit: number;
}

// The first two are what every page loads at once; the third is for pages that may have threads. The first two were
// 50.7 and 36 kB before all callables had signatures, modules hooks and lasting states, and every fault a message of
// its own. In the example 12 to 17 kB are compile(), 5 texts of errors, and 2 AssemblyScript's loader. Kernels
// outside of the core come with the rows that call them: another one costs neither.
export const budget: readonly Limit[] = [
  { what: "README's example, minified", file: 'readme/index', limit: 69_400 },
  { what: 'a product alone, minified', file: 'product/index', limit: 43_300 },
  { what: 'threads, where there are some', file: 'readme/thread-pool', limit: 3_200 },
  { what: 'one build of the kernels', file: 'build/wasm/retrograd.relaxed-threads.wasm', limit: 85_000 },
];
