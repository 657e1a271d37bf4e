// What fine-tune.ts does to a pretrained body, for Node and for pages: nothing here knows where files come from.
import { compile, functional as F, manualSeed, nn, noGrad, optim, scope, type Tensor, tensor } from 'retrograd';
import * as data from 'retrograd/data';
import { loadOnnx } from 'retrograd/onnx';
import { Trainer } from 'retrograd/train';

/** Digits, as examples/mnist/dataset.ts reads them: 0 for paper to 255 for ink. */
export interface DigitSet {
  readonly images: Uint8Array;
  readonly labels: Uint8Array;
  readonly rows: number;
  readonly cols: number;
  readonly count: number;
}

/** What is learned. */
export interface Task {
  /** Strings to learn from. */
  readonly strings: number;
  /** Strings to test with. */
  readonly test: number;
  /** Digits of a string. */
  readonly digits: number;
  /** Times through the strings. */
  readonly epochs: number;
  readonly lr: number;
  readonly seed: number;
}

/** What a run tells: lines to read, and figures. */
export interface Told {
  print(line: string): void;
  record(figures: object): void;
}

/** Strings of the first digits of a set, dark on white as print is, and what they say. */
function strings(set: DigitSet, count: number, { digits, seed }: Task): { images: Tensor; texts: number[][] } {
  const { rows, cols } = set;
  const pixels = new Float32Array(count * rows * cols * digits);
  const order = new data.Shuffle(seed, 0).order(set.count);
  const texts = Array.from({ length: count }, (_, i) =>
    Array.from({ length: digits }, (_d, k) => {
      const at = order[i * digits + k] as number;
      for (let y = 0; y < rows; y++)
        for (let x = 0; x < cols; x++)
          pixels[(i * rows + y) * cols * digits + k * cols + x] =
            1 - (set.images[(at * rows + y) * cols + x] as number) / 127.5;
      return set.labels[at] as number;
    }),
  );
  return { images: tensor(pixels, { shape: [count, 1, rows, cols * digits] }), texts };
}

const HEIGHT = 48;
const BATCH = 4;

/** What a body sees in images: `[strings, places, 120]`. Each step is freed before the next. */
function seen(body: { forward(x: Tensor): Tensor }, images: Tensor): Tensor {
  const look = compile((part: Tensor) =>
    noGrad(() => {
      const large = F.interpolate(part, {
        size: [HEIGHT, ((part.shape[3] as number) * (HEIGHT / 28)) | 0],
        mode: 'bilinear',
      });
      return body.forward(large.expand([part.shape[0] as number, 3, ...large.shape.slice(2)]).contiguous());
    }),
  );
  const count = images.shape[0] as number;
  const parts: Float32Array[] = [];
  let shape: readonly number[] = [];
  for (let i = 0; i < count; i += BATCH)
    scope(() => {
      const features = look(images.narrow(0, i, Math.min(BATCH, count - i)));
      shape = features.shape;
      parts.push(features.data as Float32Array);
    });
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return tensor(all, { shape: [count, shape[1] as number, shape[2] as number] });
}

/** Class k + 1 is digit k; 0 is the blank. */
const BLANK = 0;

/** What a head reads: the best class of each place, without repeats and blanks. */
function read(logits: Tensor): number[][] {
  const best = logits.argmax(2);
  const [count, places] = best.shape as unknown as [number, number];
  return Array.from({ length: count }, (_, i) => {
    const classes = Array.from(best.data.slice(i * places, (i + 1) * places) as Int32Array);
    return classes.flatMap((c, t) => (c !== BLANK && c !== classes[t - 1] ? [c - 1] : []));
  });
}

/** Digits to insert, delete or change, until a is b. */
function distance(a: readonly number[], b: readonly number[]): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (const [i, x] of a.entries()) {
    const next = [i + 1];
    for (const [j, y] of b.entries())
      next.push(Math.min((row[j] as number) + Number(x !== y), (row[j + 1] as number) + 1, (next[j] as number) + 1));
    row = next;
  }
  return row.at(-1) as number;
}

/** Scores of the classes at each place, of what a body sees. */
class Reader extends nn.Module {
  readonly head: nn.Linear;

  constructor(features: number) {
    super();
    this.head = new nn.Linear(features, 11);
  }

  /** @param features of an untrained body may be of any size: each becomes of mean 0 and deviation 1 */
  forward(features: Tensor): Tensor {
    return this.head.forward(F.layerNorm(features, [features.shape[2] as number]));
  }
}

/** Trains a head over a body. @returns the head, once unseen strings have told how well it reads */
async function fineTune(
  name: string,
  body: { forward(x: Tensor): Tensor },
  { train, test }: { readonly train: DigitSet; readonly test: DigitSet },
  task: Task,
  { print, record }: Told,
): Promise<nn.Linear> {
  const { digits, epochs, lr } = task;
  const [learnt, unseen] = [strings(train, task.strings, task), strings(test, task.test, task)];
  const classes = Int32Array.from(learnt.texts.flat(), (digit) => digit + 1);
  const targets = tensor(classes, { shape: [task.strings, digits] });
  const begun = performance.now();
  const [features, others] = [seen(body, learnt.images), seen(body, unseen.images)];
  const places = features.shape[1] as number;
  print(`${name.padEnd(16)}${places} places a string, seen in ${((performance.now() - begun) / 1000).toFixed(0)} s`);
  const reader = new Reader(features.shape[2] as number);
  const inputLengths = tensor(new Int32Array(task.strings).fill(places));
  const lengths = tensor(new Int32Array(task.strings).fill(digits));
  const trainer = new Trainer(reader, {
    loss: (scores: Tensor, texts: Tensor) =>
      F.ctcLoss(F.logSoftmax(scores, 2).transpose(0, 1), texts, inputLengths, lengths, { blank: BLANK }),
    optimizer: new optim.AdamW(reader.parameters(), { lr }),
    callbacks: [
      {
        onEpochEnd({ epoch }, { loss = 0 }) {
          record({ type: 'epoch', body: name, epoch: epoch + 1, loss });
          if ((epoch + 1) % 10 === 0) print(`${''.padEnd(16)}epoch ${epoch + 1}/${epochs}  loss ${loss.toFixed(3)}`);
        },
      },
    ],
  });
  await trainer.fit([[features, targets]], { epochs });
  const texts = read((await trainer.predict([others])) as Tensor);
  const wrong = texts.reduce((sum, text, i) => sum + distance(text, unseen.texts[i] as number[]), 0);
  const error = wrong / (task.test * digits);
  record({ type: 'test', body: name, error });
  const example = `${unseen.texts[0]?.join('')} was read as ${texts[0]?.join('')}`;
  print(`${''.padEnd(16)}${(100 * error).toFixed(1)} % of unseen digits wrong; ${example}`);
  return reader.head;
}

/**
 * Fine-tunes a head over the pretrained body, and another one over the same body with weights drawn at random.
 * @param model the path of PP-OCRv4's recogniser in Node, its URL in pages
 * @returns the first head
 */
export async function fineTuneBoth(
  model: string,
  digits: { readonly train: DigitSet; readonly test: DigitSet },
  task: Task,
  told: Told,
): Promise<nn.Linear> {
  manualSeed(task.seed);
  const cut = { outputs: ['transpose_51.tmp_0'], freeze: true };
  const pretrained = await loadOnnx(model, cut);
  pretrained.eval();
  const head = await fineTune('pretrained', pretrained, digits, task, told);
  const random = await loadOnnx(model, cut);
  random.eval();
  noGrad(() => {
    for (const weight of random.parameters()) if (weight.ndim > 1) nn.init.kaimingNormal_(weight);
  });
  await fineTune('random', random, digits, task, told);
  return head;
}
