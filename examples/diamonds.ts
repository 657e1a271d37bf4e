// The price of diamonds from a CSV file of numbers and words, read as a stream: a small network beside a linear model.
import { appendFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { compile, functional as F, init, io, manualSeed, nn, optim, scope, type Tensor, tensor } from 'retrograd';
import { csv, type NdArray, oneHot, type Pipeline, Preparation, type Row, standardize } from 'retrograd/data';
import { readOptions } from './options.ts';

const FILE = createRequire(import.meta.url).resolve('@observablehq/sample-datasets/diamonds.csv');
const options = readOptions('Learns the price of diamonds; writes metrics.jsonl and diamonds.safetensors.', {
  epochs: [12, 'passes over the diamonds'],
  batch: [256, 'diamonds in a step'],
  lr: [0.01, 'learning rate at first'],
  diamonds: [Infinity, 'diamonds that are read'],
  out: ['.', 'folder of what is written'],
});

const NUMBERS = ['carat', 'depth', 'table', 'x', 'y', 'z'];
const WORDS = ['cut', 'color', 'clarity'];

await init();
manualSeed(1);

const diamonds = csv(FILE);
for (const { name, type, missing } of await diamonds.schema())
  console.log(`${name.padEnd(8)} ${type.padEnd(7)} ${(100 * missing).toFixed(1)} % missing`);

const some: Pipeline<Row> = Number.isFinite(options.diamonds) ? diamonds.take(options.diamonds) : diamonds;
// Every fifth is held out.
const [learned, heldOut] = [some.filter((_, i) => i % 5 !== 0), some.filter((_, i) => i % 5 === 0)];

const numbers = Object.fromEntries(NUMBERS.map((name) => [name, standardize()]));
const words = Object.fromEntries(WORDS.map((name) => [name, oneHot()]));
const prepare = new Preparation({ x: { ...numbers, ...words }, y: { price: standardize() } });
await prepare.fit(learned);
const width = prepare.widths.x;

type Batch = Record<'x' | 'y', NdArray<Float32Array>>;
const batches = (rows: Pipeline<Row>): Pipeline<Batch> => prepare.apply(rows).batch<Batch>(options.batch);
const tensorOf = ({ data, shape }: NdArray<Float32Array>): Tensor => tensor(data, { shape: [...shape] });

/** The share of the differences between prices that `model` explains. */
async function r2(model: nn.Module & { forward(x: Tensor): Tensor }): Promise<number> {
  let [errors, n, sum, squares] = [0, 0, 0, 0];
  for await (const { x, y } of batches(heldOut)) {
    const predicted = scope(() => model.forward(tensorOf(x)).data);
    for (const [i, price] of y.data.entries()) {
      errors += (price - (predicted[i] as number)) ** 2;
      sum += price;
      squares += price ** 2;
    }
    n += y.data.length;
  }
  return 1 - errors / (squares - sum ** 2 / n);
}

const metrics = `${options.out}/metrics.jsonl`;
await writeFile(metrics, '');

/** Trains a model, and says how it goes. @returns its R² of the diamonds that are held out */
async function learn(name: string, model: nn.Module & { forward(x: Tensor): Tensor }): Promise<number> {
  const optimizer = new optim.Adam(model.parameters(), { lr: options.lr });
  const schedule = new optim.lrScheduler.CosineAnnealingLR(optimizer, options.epochs);
  const step = compile((x: Tensor, y: Tensor) => {
    optimizer.zeroGrad();
    const loss = F.mseLoss(model.forward(x), y);
    loss.backward();
    optimizer.step();
    return loss;
  });
  let explained = Number.NaN;
  // The file is sorted by price, so that all have to be shuffled at once.
  const training = batches(learned.shuffle({ bufferSize: 50_000, seed: 1 }));
  for (let epoch = 1; epoch <= options.epochs; epoch++) {
    const started = performance.now();
    let [total, n] = [0, 0];
    for await (const { x, y } of training) {
      const size = y.data.length;
      total += size * scope(() => step(tensorOf(x), tensorOf(y)).item());
      n += size;
    }
    schedule.step();
    explained = await r2(model);
    const loss = total / n;
    const rows = n / ((performance.now() - started) / 1000);
    console.log(
      `${name.padEnd(7)}  epoch ${epoch}/${options.epochs}  loss ${loss.toFixed(4)}  held-out R² ${explained.toFixed(4)}  ` +
        `${Math.round(rows).toLocaleString('en')} diamonds/s`,
    );
    await appendFile(metrics, `${JSON.stringify({ model: name, epoch, loss, r2: explained })}\n`);
  }
  return explained;
}

const linear = await learn('linear', new nn.Linear(width, 1));
const network = new nn.Sequential(
  ...[new nn.Linear(width, 64), new nn.ReLU(), new nn.Linear(64, 64), new nn.ReLU(), new nn.Linear(64, 1)],
);
const deep = await learn('network', network);
await io.saveCheckpoint(`${options.out}/diamonds.safetensors`, { model: network }, { preparation: prepare.state() });
console.log(`Held-out R²  network ${deep.toFixed(4)}, linear ${linear.toFixed(4)}`);
console.log(`Wrong lines  ${diamonds.report().wrong}`);
