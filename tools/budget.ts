// What a user may have to download, in bytes by gzip -9. `npm run size` holds it, in CI too.

interface Limit {
  readonly what: string;
  /** A file, or a part of a program of size.ts. */
  readonly file: string;
  readonly limit: number;
}

export const budget: readonly Limit[] = [
  { what: "README's example, minified", file: 'readme/index', limit: 51_000 },
  { what: 'a product alone, minified', file: 'product/index', limit: 36_000 },
  { what: 'threads, where there are some', file: 'readme/thread-pool', limit: 4_000 },
  { what: 'one build of the kernels', file: 'build/wasm/retrograd.relaxed-threads.wasm', limit: 71_000 },
];
