// npm run bench -- pipelines: rows a second through stages and from a Parquet file, and what a step waits for batches
// that a worker makes.
import { availableParallelism } from 'node:os';
import { backend, compile, functional as F, init, nn, optim, shutdown, type Tensor } from 'retrograd';
import * as data from 'retrograd/data';
import { parquetTable } from './parquet.ts';
import { images } from './pipelines-worker.ts';

const BATCH = 64;

/** Rows of five columns, in chunks as a file gives them. */
function rows(count: number): data.Pipeline<{ y: number }> {
  const column = () => Float32Array.from({ length: count }, (_, i) => i);
  const columns = {
    a: column(),
    b: column(),
    c: column(),
    d: column(),
    y: Int32Array.from({ length: count }, (_, i) => i),
  };
  const chunk = (from: number) =>
    Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, values.subarray(from, from + 16_384)]));
  return data.from(() => Array.from({ length: Math.ceil(count / 16_384) }, (_, i) => chunk(16_384 * i))).unbatch();
}

const STAGES: readonly (readonly [
  name: string,
  make: (input: data.Pipeline<{ y: number }>) => data.Pipeline<unknown>,
])[] = [
  ['batch(1024)', (input) => input.batch(1024)],
  ['shuffle(10000).batch(1024)', (input) => input.shuffle(10_000, { seed: 1 }).batch(1024)],
  ['shuffle(10000).batch(64)', (input) => input.shuffle(10_000, { seed: 1 }).batch(64)],
  ['map(row).batch(1024)', (input) => input.map(({ y }) => ({ y: y + 1 })).batch(1024)],
];

async function rowsTable(quick: boolean): Promise<string[]> {
  const count = quick ? 20_000 : 1 << 20;
  const lines = ['stages                              million rows/s'];
  for (const [name, make] of STAGES) {
    let best = Number.POSITIVE_INFINITY;
    for (let round = 0; round < (quick ? 1 : 5); round++) {
      const start = performance.now();
      let seen = 0;
      for await (const batch of make(rows(count))) seen += (batch as { y: Float32Array }).y.length;
      if (seen !== count) throw new Error(`${name}: expected ${count} rows, got ${seen}`);
      best = Math.min(best, performance.now() - start);
    }
    lines.push(`${name.padEnd(36)}${(count / best / 1000).toFixed(1).padStart(14)}`);
  }
  return lines;
}

/** A small convolutional network, trained. */
function stepOf(): (image: Tensor, label: Tensor) => Tensor {
  const model = new nn.Sequential(
    ...[new nn.Conv2d(3, 32, 3, { padding: 1 }), new nn.ReLU(), new nn.MaxPool2d(2)],
    ...[new nn.Conv2d(32, 64, 3, { padding: 1 }), new nn.ReLU(), new nn.MaxPool2d(2)],
    ...[new nn.Flatten(), new nn.Linear(4096, 10)],
  );
  const optimizer = new optim.SGD(model.parameters(), { lr: 0.01 });
  return compile((image: Tensor, label: Tensor) => {
    const loss = F.crossEntropy(model.forward(image), label);
    optimizer.zeroGrad();
    loss.backward();
    optimizer.step();
    return loss;
  });
}

/** Milliseconds of the middle turn of a pass. */
async function turn(batches: data.Pipeline<unknown>, step: ReturnType<typeof stepOf>): Promise<number> {
  const times: number[] = [];
  let last = performance.now();
  for await (const batch of batches.tensors({ dtypes: { label: 'i32' } })) {
    const { image, label } = batch as { image: Tensor; label: Tensor };
    step(image, label);
    const now = performance.now();
    times.push(now - last);
    last = now;
  }
  return times.slice(2).sort((a, b) => a - b)[(times.length - 2) >> 1] as number;
}

async function stepTable(quick: boolean): Promise<string[]> {
  const [count, rounds] = quick ? [4, 1] : [24, 6];
  const ready = await images(BATCH).take(count).toArray();
  const module = new URL('./pipelines-worker.js', import.meta.url);
  const sides = {
    memory: () => data.from<unknown>(ready),
    worker: () => data.fromWorkers(module, { workers: 1, depth: 3, data: BATCH }).take(count),
    'this thread': () => images(BATCH).take(count),
  };
  const step = stepOf();
  const best: Record<string, number> = {};
  for (let round = 0; round < rounds; round++)
    for (const [name, side] of Object.entries(sides))
      best[name] = Math.min(best[name] ?? Number.POSITIVE_INFINITY, await turn(side(), step));
  const memory = best.memory as number;
  return [
    'a step over augmented images from            ms   × memory',
    ...Object.entries(best).map(
      ([name, ms]) => `${name.padEnd(36)}${ms.toFixed(1).padStart(12)}${(ms / memory).toFixed(2).padStart(11)}`,
    ),
  ];
}

export async function table(simd: 'auto' | 'strict' | 'relaxed', quick: boolean): Promise<string> {
  await init({ simd, threads: 1 });
  const { build, engine } = backend();
  const lines = [`${build} SIMD, one thread of ${availableParallelism()}, ${engine}`, ''];
  lines.push(...(await rowsTable(quick)), '', ...(await parquetTable(quick)), '', ...(await stepTable(quick)));
  await shutdown();
  return `${lines.join('\n')}\n`;
}
