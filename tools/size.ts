// Prints what a user downloads, and fails where it is over the budget: programs bundled with the package as a user's
// bundler does it, by package.json, and minified; and the wasm build they pick; each by gzip -9. Of a program that is
// what every page loads: its entry and the chunks that this imports. What is imported while it runs, as the threads are
// by pages that may have some, has a line of its own. (size-limit does this too, but not on Node 20.)
//   node build/tools/size.js
import { readFileSync, rmSync } from 'node:fs';
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
  tfjs: "import 'retrograd/tfjs';",
  core: `import * as core from 'retrograd';
console.log(core);
`,
  data: `import * as core from 'retrograd';
import * as data from 'retrograd/data';
console.log(core, data);
`,
  io: `import * as core from 'retrograd';
import * as io from 'retrograd/io';
console.log(core, io);
`,
  onnx: `import * as core from 'retrograd';
import * as onnx from 'retrograd/onnx';
console.log(core, { ...onnx });
`,
  train: `import * as core from 'retrograd';
import * as train from 'retrograd/train';
console.log(core, { ...train });
`,
  'train-usual': `import * as core from 'retrograd';
import { Accuracy, EarlyStopping, F1Score, JsonLinesLogger, ModelCheckpoint, ProgressBar, Trainer } from 'retrograd/train';
console.log(core, Trainer, Accuracy, F1Score, EarlyStopping, ModelCheckpoint, ProgressBar, JsonLinesLogger);
`,
  'train-one': `import * as core from 'retrograd';
import { Accuracy, Trainer } from 'retrograd/train';
console.log(core, Trainer, Accuracy);
`,
  metrics: `import * as core from 'retrograd';
import { AUROC, Accuracy, AveragePrecision, BrierScore, CalibrationError, CharErrorRate, CohenKappa, ConfusionMatrix, DiceScore, EditDistance, ExplainedVariance, F1Score, FBetaScore, JaccardIndex, LogLoss, MatthewsCorrCoef, MeanAbsoluteError, MeanAbsolutePercentageError, MeanMetric, MeanSquaredError, Perplexity, Precision, PrecisionRecallCurve, R2Score, ROC, Recall, Specificity, WordErrorRate } from 'retrograd/train';
console.log(core, AUROC, Accuracy, AveragePrecision, BrierScore, CalibrationError, CharErrorRate, CohenKappa, ConfusionMatrix, DiceScore, EditDistance, ExplainedVariance, F1Score, FBetaScore, JaccardIndex, LogLoss, MatthewsCorrCoef, MeanAbsoluteError, MeanAbsolutePercentageError, MeanMetric, MeanSquaredError, Perplexity, Precision, PrecisionRecallCurve, R2Score, ROC, Recall, Specificity, WordErrorRate);
`,
  distributed: `import * as core from 'retrograd';
import * as distributed from 'retrograd/distributed';
console.log(core, { ...distributed });
`,
  doctor: `import * as core from 'retrograd';
import * as doctor from 'retrograd/doctor';
console.log(core, { ...doctor });
`,
  explain: `import * as core from 'retrograd';
import * as explain from 'retrograd/explain';
console.log(core, { ...explain });
`,
  'explain-one': `import * as core from 'retrograd';
import { integratedGradients } from 'retrograd/explain';
console.log(core, integratedGradients);
`,
};

/** Packages that users may have, which are no part of this one. */
const peers = Object.keys(JSON.parse(readFileSync('package.json', 'utf8')).peerDependencies);

/**
 * Bundles a program. @returns the files of its entry; and for each part that is imported while it runs those that are
 * not among these
 */
async function bundleOf(name: string, text: string): Promise<Map<string, string[]>> {
  // Inside the package, which finds itself by its name.
  const entry = resolve(`${name}.ts`);
  const bundle = await rolldown({
    input: { index: entry },
    external: [/^node:/, ...peers.map((name) => new RegExp(`^${name}(/|$)`))],
    platform: 'browser',
    preserveEntrySignatures: false, // as Vite has it for pages, whose scripts nobody imports
    tsconfig: false,
    plugins: [
      { name: 'program', resolveId: (id) => (id === entry ? id : null), load: (id) => (id === entry ? text : null) },
    ],
  });
  // Without annotations, which are for a bundler that would come after.
  const comments = { annotation: false, legal: true };
  const dir = `build/size/${name}`;
  rmSync(dir, { recursive: true, force: true });
  const { output } = await bundle.write({ dir, format: 'esm', minify: true, comments });
  await bundle.close();
  const chunks = new Map(output.flatMap((file) => (file.type === 'chunk' ? [[file.fileName, file]] : [])));
  const files = new Map<string, string[]>();
  const loadedBy = (file: string, loaded: Set<string>): Set<string> => {
    const chunk = chunks.get(file);
    if (!chunk || loaded.has(file)) return loaded;
    loaded.add(file);
    for (const other of chunk.imports) loadedBy(other, loaded);
    return loaded;
  };
  const program = [...chunks.values()].find(({ isEntry }) => isEntry) as { readonly fileName: string };
  const first = loadedBy(program.fileName, new Set());
  for (const { name: part, fileName, isDynamicEntry } of chunks.values()) {
    if (fileName !== program.fileName && !isDynamicEntry) continue;
    // What the program has loaded nobody loads again.
    const own = isDynamicEntry ? [...loadedBy(fileName, new Set(first))].slice(first.size) : [...first];
    files.set(
      `${name}/${part}`,
      own.map((file) => `${dir}/${file}`),
    );
  }
  return files;
}

const bundled = new Map<string, string[]>();
for (const [name, text] of Object.entries(programs))
  for (const [part, files] of await bundleOf(name, text)) bundled.set(part, files);

const kilobytes = (bytes: number): string => `${(bytes / 1000).toFixed(1)} kB`;
const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);
/** Bytes of files, or of parts of programs, but for those that `after` has loaded; and by gzip. */
function sizesOf(file: string | readonly string[], after?: string): { plain: number; zipped: number } {
  const loaded = after === undefined ? [] : (bundled.get(after) as string[]);
  // What several parts load comes once.
  const files = new Set([file].flat().flatMap((each) => bundled.get(each) ?? [each]));
  const parts = [...files].filter((each) => !loaded.includes(each)).map((part) => readFileSync(part));
  return {
    plain: sum(parts.map(({ length }) => length)),
    zipped: sum(parts.map((bytes) => gzipSync(bytes, { level: 9 }).length)),
  };
}

for (const { what, file, beyond, after, limit } of budget) {
  const all = sizesOf(file, after);
  const without = beyond === undefined ? { plain: 0, zipped: 0 } : sizesOf(beyond);
  const [plain, zipped] = [all.plain - without.plain, all.zipped - without.zipped];
  const columns = [what.padEnd(32), kilobytes(plain).padStart(10), kilobytes(zipped).padStart(10)];
  console.log(`${columns.join('')} gzipped, of ${kilobytes(limit)}`);
  if (zipped <= limit) continue;
  console.error(
    `size: expected ${what} in ${kilobytes(limit)}, got ${kilobytes(zipped)}; make it smaller, or say why the limit in tools/budget.ts is wrong`,
  );
  process.exitCode = 1;
}
