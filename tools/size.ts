// Prints what a user downloads, and fails where it is over the budget: programs bundled with the package as a user's
// bundler does it, by package.json, and minified; and the wasm build they pick; each by gzip -9. (size-limit does this
// too, but not on Node 20.)
//   node build/tools/size.js
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { rolldown } from 'rolldown';
import { budget } from './budget.ts';

const [, readme] = /^```ts\n([\s\S]*?await init\([\s\S]*?)^```$/m.exec(readFileSync('README.md', 'utf8')) ?? [];
if (!readme) throw new Error('size: expected a program with init() in README.md, got none');

/** Programs by the folder of build/size that their bundle goes to. */
const programs: Readonly<Record<string, string>> = {
  readme,
  product: `import { init, tensor } from 'retrograd';
await init();
console.log(tensor([[1, 2]]).matmul(tensor([[3], [4]])).item());
`,
};

for (const [name, text] of Object.entries(programs)) {
  // Inside the package, which finds itself by its name.
  const entry = resolve(`${name}.ts`);
  const bundle = await rolldown({
    input: { index: entry },
    external: /^node:/,
    platform: 'browser',
    tsconfig: false,
    plugins: [
      { name: 'program', resolveId: (id) => (id === entry ? id : null), load: (id) => (id === entry ? text : null) },
    ],
  });
  // Without annotations, which are for a bundler that would come after.
  const comments = { annotation: false, legal: true };
  await bundle.write({ dir: `build/size/${name}`, format: 'esm', minify: true, comments });
  await bundle.close();
}

const kilobytes = (bytes: number): string => `${(bytes / 1000).toFixed(1)} kB`;
for (const { what, file, limit } of budget) {
  const bytes = readFileSync(file);
  const zipped = gzipSync(bytes, { level: 9 }).length;
  const columns = [what.padEnd(32), kilobytes(bytes.length).padStart(10), kilobytes(zipped).padStart(10)];
  console.log(`${columns.join('')} gzipped, of ${kilobytes(limit)}`);
  if (zipped <= limit) continue;
  console.error(
    `size: expected ${what} in ${kilobytes(limit)}, got ${kilobytes(zipped)}; make it smaller, or say why the limit in tools/budget.ts is wrong`,
  );
  process.exitCode = 1;
}
