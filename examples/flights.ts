// How late will a flight be? Trains on the 3,000,000 rows of a Parquet file that never is in memory as a whole:
// node --max-old-space-size=150 build/examples/flights.js, or with --help for what can be chosen. Rows come row group
// by row group, windows of them are shuffled, and what has to be known of the columns is found in one pass before.
// After two epochs, in less than a minute and 300 MB (340 where Node may collect garbage as late as it likes), the
// network explains 9 % of the variance among flights that it has not seen, where a linear model explains 4;
// runs/flights has metrics.jsonl and the model with its preparation.
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { backend, cat, functional as F, init, manualSeed, nn, optim, type Tensor } from 'retrograd';
import * as data from 'retrograd/data';
import { saveSafetensors } from 'retrograd/io';
import { JsonLinesLogger, ProgressBar, R2Score, Trainer } from 'retrograd/train';
import { readOptions } from './options.ts';

const options = readOptions('Train on three million flights, which need not fit in memory.', {
  epochs: [2, 'times through the rows'],
  batch: [1024, 'rows a step'],
  window: [500_000, 'rows that are shuffled at a time'],
  limit: [Infinity, 'use the first n rows only'],
  lr: [0.002, 'learning rate'],
  seed: [1, 'start of every random number; same seed, same bits'],
  data: ['', 'a Parquet file of date, delay, distance, origin and destination'],
  out: ['runs/flights', 'where metrics and model go'],
});
const { epochs, batch: batchSize, seed } = options;
const packaged = join(dirname(createRequire(import.meta.url).resolve('vega-datasets')), '../data/flights-3m.parquet');
const file = options.data || packaged;
mkdirSync(options.out, { recursive: true });

await init();
manualSeed(seed);
const rows = options.limit === Infinity ? data.parquet(file) : data.parquet(file).take(options.limit);
const [train, test] = data.randomSplit(rows, [0.9, 0.1], { seed });

// Minutes of delay are far from normal: half an hour and half a day are both late. Their signed root is what is learnt.
const root = (columns: data.Row): data.Row => ({
  ...columns,
  late: Float64Array.from(columns.delay as Float64Array, (x) => Math.sign(x) * Math.sqrt(Math.abs(x))),
});
const prepare = new data.Preparation({
  x: { distance: [data.log(), data.standardize()], date: data.dateParts('month', 'weekday', 'hour') },
  places: { origin: data.codes({ minCount: 50 }), destination: data.codes({ minCount: 50 }) },
  y: { late: data.standardize() },
});
const started = performance.now();
await prepare.fit(train.mapChunk(root));
const seconds = (since: number): number => (performance.now() - since) / 1000;
// One more, for airports that are rare.
const airports = (column: string): number => prepare.categories('places', column).length + 1;
const [origins, destinations] = [airports('origin'), airports('destination')];
console.log(
  `Prepared        ${origins - 1} origins, ${destinations - 1} destinations in ${seconds(started).toFixed(1)} s`,
);

/** Two airports, and numbers, through two hidden layers. */
class Delay extends nn.Module {
  readonly origin = new nn.Embedding(origins, 16);
  readonly destination = new nn.Embedding(destinations, 16);
  readonly hidden = new nn.Sequential(
    new nn.Linear(prepare.widths.x + 32, 64),
    new nn.ReLU(),
    new nn.Linear(64, 64),
    new nn.ReLU(),
    new nn.Linear(64, 1),
  );

  forward(x: Tensor, places: Tensor): Tensor {
    const [from, to] = [places.select(1, 0), places.select(1, 1)];
    return this.hidden.forward(cat([x, this.origin.forward(from), this.destination.forward(to)], 1));
  }
}
const model = new Delay();
/** What the network has to be better than: the same numbers, and a number for each airport, in a sum. */
class Linear extends nn.Module {
  readonly origin = new nn.Embedding(origins, 1);
  readonly destination = new nn.Embedding(destinations, 1);
  readonly numbers = new nn.Linear(prepare.widths.x, 1);

  forward(x: Tensor, places: Tensor): Tensor {
    const airports = this.origin.forward(places.select(1, 0)).add(this.destination.forward(places.select(1, 1)));
    return this.numbers.forward(x).add(airports);
  }
}
/** Both, each with a loss of its own. */
class Pair extends nn.Module {
  readonly network = model;
  readonly linear = new Linear();
}
type Batch = Record<'x' | 'places' | 'y', Tensor>;
/** R² of the network, and of the linear model. */
type Metrics = { r2: R2Score<'rawValues'> };

class PairTrainer extends Trainer<Pair, Batch, Metrics> {
  override trainingStep({ x, places, y }: Batch) {
    const { network, linear } = this.model;
    const loss = F.mseLoss(network.forward(x, places), y);
    return { loss: loss.add(F.mseLoss(linear.forward(x, places), y)), network: loss };
  }

  override validationStep(batch: Batch) {
    const { x, places, y } = batch;
    const output = cat([this.model.network.forward(x, places), this.model.linear.forward(x, places)], 1);
    return { ...this.trainingStep(batch), output, target: y.expand([-1, 2]) };
  }
}

const pair = new Pair();
const optimizer = new optim.Adam(pair.parameters(), { lr: options.lr });
// The file is in the order of time: without an end that learns little, the last weeks would be all that the network
// knows.
const count = Math.floor(0.9 * Math.min(options.limit, 3_000_000));
const totalSteps = Math.max(1, Math.floor((epochs * count) / batchSize));
const falls = (step: number): number => (1 + Math.cos(Math.PI * Math.min(1, step / totalSteps))) / 2;
const schedule = new optim.lrScheduler.LambdaLR(optimizer, falls);
const logger = new JsonLinesLogger(join(options.out, 'metrics.jsonl'));

const trainer = new PairTrainer(pair, {
  optimizer,
  schedule: { scheduler: schedule, interval: 'step' },
  metrics: { r2: new R2Score({ multioutput: 'rawValues' }) },
  loggers: [logger],
  callbacks: [
    new ProgressBar({
      unit: 'rows',
      examples: count,
      figures: ({ network = 0 }) => `loss ${network.toFixed(4)}`,
      summary: ({ epoch }, { network = 0 }, rate) =>
        `epoch ${epoch + 1}/${epochs}  loss ${network.toFixed(4)}  ${Math.round(rate)} rows/s`,
    }),
  ],
});
const batches = prepare
  .apply(train.mapChunk(root))
  .shuffle(options.window, { seed })
  .batch(batchSize, { dropLast: true });
await trainer.fit(batches.tensors(), { epochs });

const { r2 } = await trainer.evaluate(prepare.apply(test.mapChunk(root)).batch(8192).tensors());
const [network, linear] = r2 as [number, number];
await logger.open(trainer.step);
logger.append({ step: trainer.step, r2: network, linear });
logger.close();
await saveSafetensors(join(options.out, 'model.safetensors'), model.stateDict(), {
  preparation: JSON.stringify(prepare.state()),
});
console.log(`Held out        R² ${network.toFixed(4)}; a linear model ${linear.toFixed(4)}`);
const arena = backend().memory.peak;
const peak = process.resourceUsage().maxRSS / 1000;
console.log(`Memory          ${peak.toFixed(0)} MB at most, of it ${(arena / 1e6).toFixed(0)} MB of tensors`);
