// The price of diamonds from a CSV file of numbers and words, read as a stream: a small network beside a linear model.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { functional as F, init, io, manualSeed, nn, optim, type Tensor } from 'retrograd';
import { csv, type NdArray, oneHot, type Pipeline, Preparation, type Row, standardize } from 'retrograd/data';
import { JsonLinesLogger, ProgressBar, R2Score, Report, Trainer } from 'retrograd/train';
import { readOptions } from './options.ts';

const FILE = createRequire(import.meta.url).resolve('@observablehq/sample-datasets/diamonds.csv');
const options = readOptions(
  'Learns the price of diamonds; writes diamonds.safetensors, and of each model figures and a report.',
  {
    epochs: [12, 'passes over the diamonds'],
    batch: [256, 'diamonds in a step'],
    lr: [0.01, 'learning rate at first'],
    diamonds: [Infinity, 'diamonds that are read'],
    out: ['.', 'folder of what is written'],
  },
);

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

type Batch = Record<'x' | 'y', Tensor>;
const batches = (rows: Pipeline<Row>) => prepare.apply(rows).batch<Record<'x' | 'y', NdArray>>(options.batch).tensors();
const validation = batches(heldOut);

/** Trains a model, and says how it goes. @returns its R² of the diamonds that are held out */
async function learn(name: string, model: nn.Module): Promise<number> {
  const { epochs } = options;
  const optimizer = new optim.Adam(model.parameters(), { lr: options.lr });
  const file = (end: string): string => join(options.out, `${name}.${end}`);
  const trainer = new Trainer<nn.Module, Batch, { r2: R2Score }>(model, {
    loss: F.mseLoss,
    optimizer,
    schedule: new optim.lrScheduler.CosineAnnealingLR(optimizer, epochs),
    metrics: { r2: new R2Score() },
    loggers: [new JsonLinesLogger(file('jsonl'))],
    callbacks: [
      new ProgressBar({
        unit: 'diamonds',
        summary: ({ epoch }, { loss = 0, valR2 = 0 }, rate) =>
          `${name.padEnd(7)}  epoch ${epoch + 1}/${epochs}  loss ${loss.toFixed(4)}  held-out R² ${valR2.toFixed(4)}  ` +
          `${Math.round(rate).toLocaleString('en')} diamonds/s`,
      }),
      new Report(file('html'), { title: `Prices of diamonds, ${name}`, examples: validation }),
    ],
  });
  // The file is sorted by price, so that all have to be shuffled at once.
  const training = batches(learned.shuffle({ bufferSize: 50_000, seed: 1 }));
  await trainer.fit(training, { epochs, validation });
  return trainer.evaluation?.r2 as number;
}

const linear = await learn('linear', new nn.Linear(width, 1));
const network = new nn.Sequential(
  ...[new nn.Linear(width, 64), new nn.ReLU(), new nn.Linear(64, 64), new nn.ReLU(), new nn.Linear(64, 1)],
);
const deep = await learn('network', network);
await io.saveCheckpoint(`${options.out}/diamonds.safetensors`, { model: network }, { preparation: prepare.state() });
console.log(`Held-out R²  network ${deep.toFixed(4)}, linear ${linear.toFixed(4)}`);
console.log(`Wrong lines  ${diamonds.report().wrong}`);
