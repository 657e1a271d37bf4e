// What a user may have to download, in bytes by gzip -9. `npm run size` holds it, in CI too.

interface Limit {
  readonly what: string;
  readonly file: string;
  readonly limit: number;
}

export const budget: readonly Limit[] = [
  { what: "README's example, minified", file: 'build/size/readme/index.js', limit: 51_000 },
  { what: 'a product alone, minified', file: 'build/size/product/index.js', limit: 36_000 },
  { what: 'one build of the kernels', file: 'build/wasm/retrograd.relaxed-threads.wasm', limit: 71_000 },
];
