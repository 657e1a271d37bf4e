// The network, its training step and its test: all that knows about tensors.
import { createHash } from 'node:crypto';
import { data, functional as F, io, manualSeed, nn, optim, type Tensor, tensor } from 'retrograd';
import { DistributedSampler, rank, worldSize } from 'retrograd/distributed';
import { type Callback, type Figures, type Metric, Trainer } from 'retrograd/train';
import type { DigitSet } from './dataset.ts';
import { type ModelName, type OptimizerName, type Options, UsageError } from './options.ts';

/** Mean and standard deviation of the training pixels, 0 to 1. */
const MEAN = 0.1307;
const STD = 0.3081;
export const TEST_BATCH = 1000;
export const CLASSES = 10;

/**
 * Digits as batches: images f32 [n, 1, rows, cols], of which mean and std (of pixels from 0 to 1) become 0 and 1, and
 * labels i32 [n]. Pixels stay bytes until they are used.
 */
export class Digits implements data.Dataset<[images: Tensor, labels: Tensor]> {
  readonly length: number;
  readonly #set: DigitSet;
  readonly #mean: number;
  readonly #std: number;

  constructor(set: DigitSet, mean = MEAN, std = STD) {
    this.#set = set;
    this.#mean = mean;
    this.#std = std;
    this.length = set.count;
  }

  batch(indices: Int32Array): [images: Tensor, labels: Tensor] {
    const { images, labels, rows, cols } = this.#set;
    const size = rows * cols;
    const pixels = new Uint8Array(indices.length * size);
    indices.forEach((index, i) => {
      pixels.set(images.subarray(index * size, (index + 1) * size), i * size);
    });
    const x = tensor(pixels, { shape: [indices.length, 1, rows, cols] }).to('f32');
    return [x.sub(this.#mean * 255).div(this.#std * 255), tensor(indices.map((index) => labels[index] as number))];
  }
}

/** This rank's part of a set. */
function partOf({ images, labels, rows, cols, count }: DigitSet): DigitSet {
  const [from, to] = [rank(), rank() + 1].map((i) => Math.floor((i * count) / worldSize())) as [number, number];
  return {
    images: images.subarray(from * rows * cols, to * rows * cols),
    ...{ labels: labels.subarray(from, to), rows, cols, count: to - from },
  };
}

/** Batches of this rank, of which all together have the size asked for. */
function batchesOf(train: DigitSet, { batchSize, seed, shards }: Options): data.DataLoader<Batch> {
  const set = new Digits(train);
  const size = worldSize();
  if (size === 1 && shards === null) return new data.DataLoader(set, { batchSize, shuffle: true, seed });
  const parts = shards ?? size;
  if (parts % size !== 0 || batchSize % parts !== 0)
    throw new UsageError(
      `--batch-size: expected a multiple of ${parts} parts that ${size} ranks can share, got ${batchSize}`,
    );
  const own = batchSize / size;
  return new data.DataLoader(set, { batchSize: own, sampler: new DistributedSampler(set, { seed, blockSize: own }) });
}

/** The networks, for images of rows × cols. */
const models: Record<ModelName, (rows: number, cols: number) => nn.Sequential> = {
  mlp: (rows, cols) =>
    new nn.Sequential(new nn.Flatten(), new nn.Linear(rows * cols, 256), new nn.ReLU(), new nn.Linear(256, CLASSES)),
  cnn: (rows, cols) => {
    const block = (from: number, to: number): nn.Layer[] => [
      new nn.Conv2d(from, to, 3, { padding: 1 }),
      new nn.BatchNorm2d(to),
      new nn.ReLU(),
      new nn.MaxPool2d(2),
    ];
    const features = 32 * Math.floor(rows / 4) * Math.floor(cols / 4);
    return new nn.Sequential(
      ...block(1, 16),
      ...block(16, 32),
      new nn.Flatten(),
      new nn.Dropout(0.25),
      new nn.Linear(features, 128),
      new nn.ReLU(),
      new nn.Linear(128, CLASSES),
    );
  },
};

const optimizers: Record<OptimizerName, (params: Tensor[], lr: number) => optim.Optimizer<object>> = {
  sgd: (params, lr) => new optim.SGD(params, { lr }),
  momentum: (params, lr) => new optim.SGD(params, { lr, momentum: 0.9 }),
  rmsprop: (params, lr) => new optim.RMSprop(params, { lr }),
  adagrad: (params, lr) => new optim.Adagrad(params, { lr }),
  adam: (params, lr) => new optim.Adam(params, { lr }),
  adamw: (params, lr) => new optim.AdamW(params, { lr }),
};

/** Count of trained numbers. */
export const countOf = (model: nn.Module): number => model.parameters().reduce((sum, p) => sum + p.size, 0);

/** SHA-256 of all weights: two runs with the same one are the same to the bit. */
export function fingerprintOf(model: nn.Module): string {
  const hash = createHash('sha256');
  for (const p of model.parameters()) hash.update(new Uint8Array(p.data.buffer));
  return hash.digest('hex');
}

/** Seconds of training: of the epoch under way, and in all. */
export class Clock implements Callback<Trainer> {
  readonly name = 'Clock';
  epoch = 0;
  all = 0;

  onEpochStart(): void {
    this.epoch = 0;
  }

  /** Adds the time that `fn` takes. */
  time<T>(fn: () => T): T {
    const start = performance.now();
    const result = fn();
    const seconds = (performance.now() - start) / 1000;
    this.epoch += seconds;
    this.all += seconds;
    return result;
  }

  state(): object {
    return { epoch: this.epoch, all: this.all };
  }

  loadState({ epoch, all }: { epoch: number; all: number }): void {
    this.epoch = epoch;
    this.all = all;
  }
}

type Batch = [images: Tensor, labels: Tensor];

/** Trains the network that the options name, and tests it by images of `test`. */
export class Training extends Trainer<nn.Sequential, Batch, Record<never, Metric>> {
  readonly clock: Clock;
  readonly loader: data.DataLoader<Batch>;
  readonly test: data.DataLoader<Batch>;
  readonly #falls: optim.lrScheduler.LRScheduler;

  constructor(options: Options, train: DigitSet, test: DigitSet, callbacks: readonly Callback<Trainer>[]) {
    const { seed, batchSize, lr, optimizer: name, model: kind, epochs, limit, shards } = options;
    manualSeed(seed);
    const model = models[kind](train.rows, train.cols);
    const optimizer = optimizers[name](model.parameters(), lr);
    const loader = batchesOf(train, options);
    const steps = epochs * loader.length;
    // It falls in a straight line to 0 over the epochs asked for; the last steps only polish.
    const falls = new optim.lrScheduler.LambdaLR(optimizer, (step) => Math.max(0, 1 - step / steps));
    const clock = new Clock();
    super(model, {
      optimizer,
      schedule: { scheduler: falls, interval: 'step' },
      callbacks: [clock, ...callbacks],
      hyperparameters: {
        ...{ model: kind, optimizer: name, 'batch-size': batchSize, lr, seed, limit: limit ?? train.count },
        ...(shards !== null && { shards }),
      },
      ...(worldSize() > 1 && { strategy: 'ddp' }),
      ...(shards !== null && { strategy: { name: 'ddp', order: 'fixed', shards } }),
      handleInterrupt: true,
    });
    this.clock = clock;
    this.loader = loader;
    this.test = new data.DataLoader(new Digits(partOf(test)), { batchSize: TEST_BATCH });
    this.#falls = falls;
  }

  override trainingStep([images, labels]: Batch) {
    const logits = this.model.forward(images);
    const accuracy = logits.argmax(1).eq(labels).to('f32').mean();
    return { loss: F.crossEntropy(logits, labels), accuracy };
  }

  /** How the network does on the test images: what was found last, where it has not learned since. */
  async judged(): Promise<{ loss: number; accuracy: number }> {
    const latest = this.batch === 0 ? this.evaluation : null;
    const { loss = Number.NaN, accuracy = Number.NaN }: Figures = latest ?? (await this.evaluate(this.test));
    return { loss, accuracy };
  }

  override trainBatch(batch: Batch): Figures | null {
    return this.clock.time(() => super.trainBatch(batch));
  }

  /** Goes on with the run at `path`. @throws Error where that had other settings */
  async resume(path: string): Promise<void> {
    const bytes = await io.readFileBytes(path);
    const { metadata } = io.decodeSafetensors(bytes);
    const settings = JSON.parse(metadata.extra ?? '{}') as Record<string, unknown>;
    for (const [name, value] of Object.entries(this.hyperparameters ?? {}))
      if (settings?.[name] !== value)
        throw new Error(
          `--resume: expected the run's own settings, got --${name} ${value} where the run has ${settings?.[name]}`,
        );
    this.decodeCheckpoint(bytes);
    // There may be more epochs now than there were.
    this.#falls.step(this.step);
  }
}
