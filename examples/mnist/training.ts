// The network, its training step and its test: all that knows about tensors.
import { createHash } from 'node:crypto';
import {
  compile,
  data,
  functional as F,
  io,
  manualSeed,
  nn,
  noGrad,
  optim,
  scope,
  type Tensor,
  tensor,
} from 'retrograd';
import type { DigitSet } from './dataset.ts';
import type { ModelName, OptimizerName, Options } from './options.ts';
import type { Mistake } from './report.ts';

/** Mean and standard deviation of the training pixels, 0 to 1. */
const MEAN = 0.1307;
const STD = 0.3081;
const TEST_BATCH = 1000;
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

/** Sums over the steps of an epoch so far. */
export interface Totals {
  images: number;
  loss: number;
  correct: number;
  seconds: number;
}
export const noTotals = (): Totals => ({ images: 0, loss: 0, correct: 0, seconds: 0 });

/** What a checkpoint holds beside the tensors. */
interface Saved {
  readonly settings: Record<string, string | number>;
  readonly step: number;
  readonly totals: Totals;
  /** Seconds of training in all, without tests. */
  readonly seconds: number;
}

export interface StepResult {
  readonly loss: number;
  readonly accuracy: number;
  readonly gradNorm: Record<string, number> | undefined;
}

export interface TestResult {
  readonly loss: number;
  readonly accuracy: number;
  readonly confusion: number[][];
  readonly mistakes: Mistake[];
}

const GRAD_NORM_EVERY = 10;

/** A model in training. */
export class Training {
  readonly model: nn.Sequential;
  readonly loader: data.DataLoader<[images: Tensor, labels: Tensor]>;
  step = 0;
  /** Of the epoch under way. */
  totals = noTotals();
  seconds = 0;
  readonly #optimizer: optim.Optimizer<object>;
  readonly #options: Options;
  readonly #settings: Saved['settings'];
  /** One step, as one call into WebAssembly from the second time on. */
  readonly #trainBatch = compile((images: Tensor, labels: Tensor) => {
    this.#optimizer.zeroGrad();
    const logits = this.model.forward(images);
    const loss = F.crossEntropy(logits, labels);
    loss.backward();
    this.#optimizer.step();
    return { loss, accuracy: logits.argmax(1).eq(labels).to('f32').mean() };
  });
  readonly #testBatch = compile((images: Tensor, labels: Tensor) => {
    const logits = this.model.forward(images);
    const loss = F.crossEntropy(logits, labels, { reduction: 'sum' });
    return { loss, predictions: logits.argmax(1), confidences: F.softmax(logits, 1).amax(1) };
  });

  constructor(options: Options, train: DigitSet) {
    const { seed, batchSize, lr, optimizer, model, limit } = options;
    this.#options = options;
    manualSeed(seed);
    this.model = models[model](train.rows, train.cols);
    this.#optimizer = optimizers[optimizer](this.model.parameters(), lr);
    this.loader = new data.DataLoader(new Digits(train), { batchSize, shuffle: true, seed });
    this.#settings = { model, optimizer, 'batch-size': batchSize, lr, seed, limit: limit ?? train.count };
  }

  /** Count of trained numbers. */
  get parameters(): number {
    return this.model.parameters().reduce((sum, p) => sum + p.size, 0);
  }

  /** SHA-256 of all weights: two runs with the same one are the same to the bit. */
  fingerprint(): string {
    const hash = createHash('sha256');
    for (const p of this.model.parameters()) hash.update(new Uint8Array(p.data.buffer));
    return hash.digest('hex');
  }

  /** One optimizer step. */
  trainStep(images: Tensor, labels: Tensor): StepResult {
    const start = performance.now();
    this.#setLearningRate();
    const { loss, accuracy } = this.#trainBatch(images, labels);
    this.step++;
    const result = {
      loss: loss.item(),
      accuracy: accuracy.item(),
      gradNorm: this.step % GRAD_NORM_EVERY === 1 ? this.#gradientNorms() : undefined,
    };
    const { totals } = this;
    totals.images += labels.size;
    totals.loss += result.loss * labels.size;
    totals.correct += result.accuracy * labels.size;
    const seconds = (performance.now() - start) / 1000;
    totals.seconds += seconds;
    this.seconds += seconds;
    return result;
  }

  /** The learning rate falls in a straight line to 0 over the epochs asked for; the last steps only polish. */
  #setLearningRate(): void {
    const { lr, epochs } = this.#options;
    const share = this.step / (epochs * this.loader.length);
    for (const group of this.#optimizer.paramGroups) (group as { lr?: number }).lr = lr * Math.max(0, 1 - share);
  }

  #gradientNorms(): Record<string, number> {
    return Object.fromEntries(this.model.namedParameters().map(([name, p]) => [name, p.grad?.norm().item() ?? 0]));
  }

  /** Loss, accuracy and confusion on images that it was not trained on. */
  test(set: DigitSet): TestResult {
    const confusion = Array.from({ length: CLASSES }, () => new Array<number>(CLASSES).fill(0));
    const mistakes: Mistake[] = [];
    const size = set.rows * set.cols;
    let loss = 0;
    let correct = 0;
    let index = 0;
    this.model.eval();
    for (const [images, labels] of new data.DataLoader(new Digits(set), { batchSize: TEST_BATCH }))
      noGrad(() => {
        const result = this.#testBatch(images, labels);
        loss += result.loss.item();
        const predictions = result.predictions.data;
        const confidences = result.confidences.data;
        labels.data.forEach((label, i) => {
          const predicted = predictions[i] as number;
          (confusion[label] as number[])[predicted] = ((confusion[label] as number[])[predicted] as number) + 1;
          if (predicted === label) correct++;
          else {
            const pixels = set.images.subarray(index * size, (index + 1) * size);
            mistakes.push({ pixels, label, predicted, confidence: confidences[i] as number, index });
          }
          index++;
        });
      });
    this.model.train();
    return { loss: loss / set.count, accuracy: correct / set.count, confusion, mistakes };
  }

  /** Saves all that the next step depends on. */
  async save(path: string): Promise<void> {
    const extra: Saved = { settings: this.#settings, step: this.step, totals: this.totals, seconds: this.seconds };
    await io.saveCheckpoint(path, { model: this.model, optimizer: this.#optimizer, loader: this.loader }, extra);
  }

  /** Goes on where save() was called. @throws Error where the run had other settings */
  async load(path: string): Promise<void> {
    const bytes = await io.readFileBytes(path);
    const { metadata } = io.decodeSafetensors(bytes);
    const { settings } = JSON.parse(metadata.extra ?? '{}') as Partial<Saved>;
    for (const [name, value] of Object.entries(this.#settings))
      if (settings?.[name] !== value)
        throw new Error(
          `--resume: expected the run's own settings, got --${name} ${value} where the run has ${settings?.[name]}`,
        );
    const saved = scope(() =>
      io.decodeCheckpoint(bytes, { model: this.model, optimizer: this.#optimizer, loader: this.loader }),
    ) as Saved;
    this.step = saved.step;
    this.totals = { ...saved.totals };
    this.seconds = saved.seconds;
  }
}
