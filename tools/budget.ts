// What a user may have to download, in bytes by gzip -9. `npm run size` holds it, in CI too.

interface Limit {
  readonly what: string;
  /** A file, or a part of a program of size.ts; or several, counted together. */
  readonly file: string | readonly string[];
  /** What a user has already, which does not count: another program, */
  readonly beyond?: string;
  /** or another part of this one. */
  readonly after?: string;
  readonly limit: number;
}

// The first two are what every page loads at once; the third is for pages that may have threads. The first two were
// 50.7 and 36 kB before all callables had signatures, modules hooks and lasting states, and every fault a message of
// its own. In the example 11 to 16 kB are compile(), and 5 texts of errors. What only several threads need comes with
// the third, and kernels outside of the core come with the rows that call them: another one costs neither.
// The backend of TensorFlow.js stands beside tfjs's own for WebAssembly, which is 171 kB.
// An entry beside the core counts what it adds to the whole of that. Of retrograd/data 1.3 kB are what it costs that
// the bundler has a chunk of the base beside the program, which no figure needs: it comes and goes with what chunks
// share.
const kernels = 'build/wasm/retrograd.relaxed-threads.wasm';
export const budget: readonly Limit[] = [
  { what: "README's example, minified", file: 'readme/index', limit: 66_600 },
  { what: 'a product alone, minified', file: 'product/index', limit: 40_900 },
  { what: 'threads, where there are some', file: 'readme/thread-pool', limit: 5_200 },
  { what: 'what makes kernels of loops', file: 'readme/loop-kernels', limit: 7_300 },
  { what: 'one build of the kernels', file: kernels, limit: 89_500 },
  { what: 'the TensorFlow.js backend', file: ['tfjs/index', kernels], limit: 131_300 },
  { what: 'retrograd/data beyond the core', file: 'data/index', beyond: 'core/index', limit: 20_200 },
  { what: '… what passes over pipelines', file: 'data/stages', limit: 7_700 },
  { what: '… its reader of CSV', file: 'data/csv', after: 'data/stages', limit: 11_200 },
  { what: '… of lines, and of JSON', file: 'data/lines', after: 'data/stages', limit: 10_400 },
  { what: '… of texts', file: 'data/text', after: 'data/stages', limit: 5_800 },
  { what: '… of arrays', file: 'data/arrays', after: 'data/stages', limit: 5_400 },
  // What packages trust in damaged files is checked before: pages and batches by parts of their own, which come with
  // the readers; the sizes of these were 6.5, 7.5 and 6.7 kB before they called them, and before that of JPEG.
  { what: '… of Parquet', file: 'data/parquet', after: 'data/stages', limit: 6_800 },
  { what: '… … its check of pages', file: 'data/parquet-pages', after: 'data/parquet', limit: 2_400 },
  { what: '… of Arrow', file: 'data/arrow', after: 'data/stages', limit: 7_800 },
  { what: '… … its check of batches', file: 'data/arrow-costs', after: 'data/arrow', limit: 1_000 },
  { what: '… of images', file: 'data/images', after: 'data/stages', limit: 7_000 },
  { what: '… its look at data', file: 'data/look', after: 'data/stages', limit: 3_700 },
  { what: '… what fits preparations', file: 'data/fit', after: 'data/stages', limit: 800 },
  { what: '… its workers', file: 'data/team', after: 'data/stages', limit: 2_300 },
  { what: 'retrograd/io beyond the core', file: 'io/index', beyond: 'core/index', limit: 15_000 },
  { what: '… its reader of PyTorch', file: 'io/pytorch', limit: 6_000 },
  { what: '… its models of Hugging Face', file: 'io/load', limit: 7_500 },
  { what: 'retrograd/onnx beyond the core', file: 'onnx/index', beyond: 'core/index', limit: 40_000 },
  { what: '… its export', file: 'onnx/onnx-export', limit: 20_000 },
  // All of its 28 metrics, 10 callbacks and loggers, which nobody has at once; trainings take what the lines after
  // it have.
  { what: 'retrograd/train beyond the core', file: 'train/index', beyond: 'core/index', limit: 25_500 },
  { what: '… a training with one metric', file: 'train-one/index', beyond: 'core/index', limit: 10_800 },
  { what: '… a usual training', file: 'train-usual/index', beyond: 'core/index', limit: 13_900 },
  { what: '… its metrics', file: 'metrics/index', beyond: 'core/index', limit: 8_200 },
  { what: '… its event files of TensorBoard', file: 'train/event-files', limit: 5_000 },
  // Of it 1.4 kB are what it has of the page that the main job had of its own, which carried 50 kB of a library.
  { what: '… its report', file: ['train/recorder', 'train/examples'], limit: 13_200 },
  { what: '… what steers trainings', file: 'train/steering', limit: 1_300 },
  { what: '… its plot of learning rates', file: 'train/learning-rate-plot', limit: 5_500 },
  { what: '… its search', file: 'train/search', limit: 7_400 },
  { what: 'retrograd/distributed beyond it', file: 'distributed/index', beyond: 'core/index', limit: 30_000 },
  { what: 'retrograd/doctor beyond the core', file: 'doctor/index', beyond: 'core/index', limit: 12_000 },
  { what: '… what it judges by', file: 'doctor/report', limit: 12_000 },
  { what: '… what it says', file: 'doctor/words', after: 'doctor/report', limit: 7_000 },
  { what: '… its page', file: 'doctor/page', after: 'doctor/report', limit: 5_500 },
  // All of its sixty functions; programs take the few that they call. Layers and neurons, which all of them may explain
  // instead of inputs and outputs, are 0.7 kB of one.
  { what: 'retrograd/explain beyond the core', file: 'explain/index', beyond: 'core/index', limit: 16_900 },
  { what: '… one way to explain', file: 'explain-one/index', beyond: 'core/index', limit: 3_800 },
  { what: '… its pictures', file: 'explain/pictures', limit: 7_000 },
];
