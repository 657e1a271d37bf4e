// Why a network misread digits, and what makes a penguin a Gentoo, on one page: node build/examples/explain.js, or with
// --help for what can be chosen. It takes the network that the main job left in runs/mnist, or trains a small one, and
// writes runs/explain/report.html.
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { cat, functional as F, init, io, manualSeed, nn, noGrad, optim, randn, type Tensor, tensor } from 'retrograd';
import { csv, DataLoader, type NdArray, oneHot, Preparation, standardize } from 'retrograd/data';
import * as explain from 'retrograd/explain';
import { Trainer } from 'retrograd/train';
import { type DigitSet, loadMnist } from './mnist/dataset.ts';
import { imageProgress } from './mnist/progress.ts';
import { Digits } from './mnist/training.ts';
import { readOptions } from './options.ts';

const options = readOptions('Explains the mistakes of a network on MNIST, and one on penguins.', {
  model: ['runs/mnist/model.safetensors', 'weights of the main job; without them a small network is trained'],
  epochs: [2, 'times through the digits, where one is trained'],
  limit: [12_000, 'digits to train with'],
  tests: [4000, 'digits to look for mistakes in'],
  shown: [20, 'mistakes on the page'],
  seed: [1, 'start of every random number'],
  out: ['runs/explain', 'where the page goes'],
});
const { epochs, shown, seed, out } = options;
mkdirSync(out, { recursive: true });
await init();
manualSeed(seed);

/** Paper, as the network gets it. */
const PAPER = -0.1307 / 0.3081;
const percent = (part: number): string => `${(100 * part).toFixed(1)} %`;

const block = (from: number, to: number): nn.Layer[] => [
  new nn.Conv2d(from, to, 3, { padding: 1 }),
  new nn.BatchNorm2d(to),
  new nn.ReLU(),
  new nn.MaxPool2d(2),
];
const networks: Readonly<Record<string, () => nn.Sequential>> = {
  'the convolutional network': () =>
    new nn.Sequential(
      ...[...block(1, 16), ...block(16, 32), new nn.Flatten(), new nn.Dropout(0.25), new nn.Linear(1568, 128)],
      ...[new nn.ReLU(), new nn.Linear(128, 10)],
    ),
  'the network of two layers': () =>
    new nn.Sequential(new nn.Flatten(), new nn.Linear(784, 256), new nn.ReLU(), new nn.Linear(256, 10)),
};

/** The main job's network, or undefined where there is none. */
async function trained(): Promise<[name: string, model: nn.Sequential] | undefined> {
  if (!existsSync(options.model)) return undefined;
  const tensors = await io.loadSafetensors(options.model);
  for (const [name, make] of Object.entries(networks)) {
    const model = make();
    const state = model.stateDict();
    if (Object.keys(state).length !== Object.keys(tensors).length) continue;
    model.loadStateDict(tensors);
    return [`${name} of ${options.model}`, model];
  }
  return undefined;
}

/** A small network, trained now. */
async function train(digits: DigitSet): Promise<[name: string, model: nn.Sequential]> {
  const model = new nn.Sequential(...[...block(1, 8), ...block(8, 16), new nn.Flatten(), new nn.Linear(784, 10)]);
  const trainer = new Trainer(model, {
    loss: F.crossEntropy,
    optimizer: new optim.Adam(model.parameters(), { lr: 3e-3 }),
    callbacks: [imageProgress(({ loss = 0 }) => `loss ${loss.toFixed(3)}`)],
  });
  const loader = new DataLoader(new Digits(digits), { batchSize: 64, shuffle: true, seed, dropLast: true });
  await trainer.fit(loader, { epochs });
  return ['a small network, trained for this page', model];
}

const { train: learned, test } = await loadMnist(undefined, options.limit);
const [name, model] = (await trained()) ?? (await train(learned));
model.eval();

// ── Digits that are misread ─────────────────────────────────────────────────────────────────────────────────────────

/** Where the network is wrong, the surest first: the digit that it reads and the one that stands there. */
interface Mistake {
  readonly index: number;
  readonly read: number;
  readonly right: number;
  readonly sure: number;
}
const mistakes: Mistake[] = [];
let looked = 0;
const tests = new Digits(test);
for (const [x, y] of new DataLoader(tests, { batchSize: 500 })) {
  if (looked >= options.tests) break;
  const chances = noGrad(() => F.softmax(model.forward(x), 1));
  const [best, sure, labels] = [chances.argmax(1).data, chances.amax(1).data, y.data];
  for (let i = 0; i < labels.length && looked + i < options.tests; i++)
    if (best[i] !== labels[i])
      mistakes.push({
        index: looked + i,
        read: best[i] as number,
        right: labels[i] as number,
        sure: sure[i] as number,
      });
  looked += labels.length;
}
const seen = Math.min(looked, options.tests);
console.log(`${mistakes.length} of ${seen} digits are misread by ${name}`);
mistakes.sort((a, b) => b.sure - a.sure);
const worst = mistakes.slice(0, shown);
if (worst.length === 0) throw new Error('explain: expected a mistake to explain, got none; look at more --tests');

const [images] = tests.batch(Int32Array.from(worst.map(({ index }) => index)));
images.keep();
const [read, right] = [worst.map((each) => each.read), worst.map((each) => each.right)];
const pickOf = (digits: readonly number[]) => (y: Tensor) => y.gather(1, column(y, digits)).squeeze(1);
/** Digits as a column beside each version of the images. */
function column(y: Tensor, digits: readonly number[]): Tensor {
  const times = (y.shape[0] as number) / digits.length;
  return tensor(Array.from({ length: times }, () => digits).flat(), { dtype: 'i32' }).unsqueeze(1);
}
/** How far the digit that is read is ahead of the right one: what speaks for it speaks for the mistake. */
const target = (y: Tensor): Tensor => pickOf(read)(y).sub(pickOf(right)(y));
const common = { target, internalBatchSize: worst.length * 8 };

const imageOf = (x: Tensor, i: number): Tensor => x.select(0, i).select(0, 0);
const gallery = async (maps: Tensor, captions: readonly string[], count = maps.shape[0] as number) =>
  Promise.all(
    Array.from({ length: count }, async (_, i) => ({
      picture: await explain.heatMap(imageOf(maps, i), { image: imageOf(images, i), label: captions[i] as string }),
      caption: captions[i] as string,
    })),
  );
const says = worst.map((each) => `${each.right}, read as ${each.read}`);

const parts = explain.integratedGradients(model, images, { ...common, baseline: PAPER, nSteps: 64 });
const cards: explain.PictureCard[] = [
  {
    title: 'Why these digits were misread',
    note: 'Integrated gradients of the lead of the digit that was read over the right one: orange strokes made the mistake, blue ones spoke for the right digit.',
    wide: true,
    pictures: await gallery(parts, says),
  },
];

const layer = model.modules().findLast((each) => each instanceof nn.ReLU && model.children().indexOf(each) < 7);
const first = images.narrow(0, 0, 1).keep();
const one = { target: (y: Tensor) => y.select(1, read[0] as number).sub(y.select(1, right[0] as number)) };
const ways: [name: string, map: Tensor][] = [
  ['saliency', explain.saliency(model, first, one)],
  ['SmoothGrad', explain.noiseTunnel(model, first, { ...one, method: explain.saliency, nSamples: 50, stdevs: 0.3 })],
  ['input × gradient', explain.inputXGradient(model, first, one)],
  ['guided backprop', explain.guidedBackprop(model, first, one)],
  ['DeepLIFT', explain.deepLift(model, first, { ...one, baseline: PAPER })],
  ['relevance (ε rule)', explain.lrp(model, first, { ...one, rule: { rule: 'epsilon', epsilon: 0.25 } })],
  ['occlusion', explain.occlusion(model, first, { ...one, baseline: PAPER, slidingWindowShapes: [1, 5, 5] })],
];
const parted = { ...one, baseline: PAPER, featureMask: explain.superpixels(first, { count: 60 }) };
ways.push(['LIME, 60 parts', explain.lime(model, first, { ...parted, nSamples: 1500 })]);
ways.push(['KernelSHAP, 60 parts', explain.kernelShap(model, first, parted)]);
const convolutional = model.children().some((each) => each instanceof nn.Conv2d);
if (layer && convolutional) ways.push(['LayerCAM', explain.layerCam(model, first, { ...one, layer })]);
cards.push({
  title: `One mistake, ${ways.length} ways`,
  note: `The ${right[0]} that was read as ${read[0]}. Saliency, SmoothGrad and LayerCAM have no sign.`,
  wide: true,
  pictures: await Promise.all(
    ways.map(async ([caption, map]) => ({
      picture: await explain.heatMap(imageOf(map, 0), { image: imageOf(first, 0), label: caption }),
      caption,
    })),
  ),
});

/** A picture in gray. */
const plain = (x: Tensor, label: string) => explain.heatMap(x.mul(0), { image: x, label });
const few = Math.min(6, worst.length);
const [found, reached] = explain.counterfactuals(model, images.narrow(0, 0, few), {
  ...{ target: right.slice(0, few), lr: 0.2, nSteps: 150, low: PAPER, high: 2.82 },
});
cards.push({
  title: 'What would have been read right',
  note: 'The nearest image that the network reads right.',
  legend: ['ink that was added', 'ink that was taken away'],
  pictures: await gallery(
    found.sub(images.narrow(0, 0, few)),
    worst.slice(0, few).map((each, i) => (reached.data[i] ? `now a ${each.right}` : `still no ${each.right}`)),
    few,
  ),
});

const [some, labels] = new Digits(learned).batch(
  Int32Array.from({ length: Math.min(600, learned.count) }, (_, i) => i),
);
const loss = (y: Tensor, should: Tensor): Tensor => F.crossEntropy(y, should, { reduction: 'none' });
const teachers = explain.tracIn(
  model,
  loss,
  [some, labels.to('i32')],
  [first, tensor([right[0] as number], { dtype: 'i32' })],
);
const influence = Array.from(teachers.data, (value, i) => ({ value, i })).sort((a, b) => a.value - b.value);
const examples = [...influence.slice(0, 4), ...influence.slice(-2).reverse()];
cards.push({
  title: 'Training digits behind it',
  note: `Of ${some.shape[0]}, by TracIn: those that led to reading a ${right[0]} as ${read[0]}, and two that spoke for the right digit.`,
  pictures: await Promise.all(
    examples.map(async ({ value, i }) => ({
      picture: await plain(imageOf(some, i), `a ${labels.data[i]}`),
      caption: `a ${labels.data[i]}, ${value < 0 ? 'misled' : 'helped'}`,
    })),
  ),
});

const dreams = explain.activationMaximization(model, randn([10, 1, 28, 28]).mul(0.1), {
  target: Array.from({ length: 10 }, (_, i) => i),
  ...{ nSteps: 120, lr: 0.06, decay: 0.01, totalVariation: 0.004, jitter: 1, low: PAPER, high: 2.82 },
});
cards.push({
  title: 'What the network looks for',
  note: 'Images that it takes for each digit most strongly, from noise, by steps along the gradient.',
  wide: true,
  pictures: await Promise.all(
    Array.from({ length: 10 }, async (_, i) => ({
      picture: await plain(imageOf(dreams, i), `what stands for ${i}`),
      caption: String(i),
    })),
  ),
});

// ── A table ─────────────────────────────────────────────────────────────────────────────────────────────────────────

const NUMBERS = ['culmen_length_mm', 'culmen_depth_mm', 'flipper_length_mm', 'body_mass_g'];
const WORDS = ['island', 'sex'];
const penguins = csv(createRequire(import.meta.url).resolve('@observablehq/sample-datasets/penguins.csv')).filter(
  (row) => NUMBERS.every((each) => Number.isFinite(row[each])),
);
const prepare = new Preparation({
  numbers: Object.fromEntries(NUMBERS.map((each) => [each, standardize()])),
  island: { island: oneHot() },
  sex: { sex: oneHot() },
  species: { species: oneHot() },
});
await prepare.fit(penguins);
type Batch = Record<'numbers' | 'island' | 'sex' | 'species', NdArray<Float32Array>>;
const tensorOf = ({ data, shape }: NdArray<Float32Array>): Tensor => tensor(data, { shape: [...shape] });
const [all] = await prepare.apply(penguins).batch<Batch>(1000).toArray();
if (!all) throw new Error('explain: expected penguins, got none');
const x = cat([tensorOf(all.numbers), tensorOf(all.island), tensorOf(all.sex)], 1);
const species = tensorOf(all.species).argmax(1);
const width = x.shape[1] as number;
const net = new nn.Sequential(new nn.Linear(width, 16), new nn.ReLU(), new nn.Linear(16, prepare.widths.species));
const trainer = new Trainer(net, {
  loss: F.crossEntropy,
  optimizer: new optim.Adam(net.parameters(), { lr: 0.02 }),
});
await trainer.fit([[x, species]], { epochs: 150 });
net.eval();
const accuracy = (output: Tensor, should: Tensor): Tensor => output.argmax(1).eq(should).to('f32').mean();
const told = noGrad(() => accuracy(net.forward(x), species).item());

/** Columns of the same word are one feature. */
const names = [...NUMBERS, ...WORDS].map((each) =>
  each
    .replace(/_(mm|g)$/, ' ($1)')
    .replaceAll('_', ' ')
    .replace('culmen', 'bill'),
);
const groups = [...NUMBERS.map(() => 1), prepare.widths.island, prepare.widths.sex];
const featureMask = tensor(
  groups.flatMap((columns, feature) => Array.from({ length: columns }, () => feature)),
  { dtype: 'i32' },
);
const { mean } = explain.permutationImportance(net, x, species, { score: accuracy, featureMask, nRepeats: 10 });
const gentoo = Array.from(species.data).findIndex((each, i) => each === species.data[species.size - 1] && i > 0);
const kind = species.data[gentoo] as number;
const called = String((await penguins.toArray())[gentoo]?.species);
const shapley = explain.shapleyValues(net, x.narrow(0, gentoo, 1), {
  target: kind,
  featureMask,
  baseline: x.mean(0, true),
});
const columns = Array.from(featureMask.data);
const values = names.map((_, feature) => shapley.data[columns.indexOf(feature)] as number);
cards.push(
  {
    title: 'What the penguins network needs',
    note: `${percent(told)} of ${x.shape[0]} penguins are told apart. How much of that is lost where a column is shuffled.`,
    pictures: [{ picture: await explain.barChart(mean, names, { label: 'permutation importance' }) }],
  },
  {
    title: `What makes this penguin a ${called}`,
    note: `Exact Shapley values of the score of ${called}, against the mean penguin.`,
    pictures: [{ picture: await explain.barChart(values, names, { label: 'Shapley values' }) }],
  },
);
for (const [feature, title] of [
  [0, 'By the length of the bill'],
  [2, 'By the length of the flippers'],
] as const)
  cards.push({
    title,
    note: `The score of ${called} where the column (in standard deviations) is the same for all: on average, and for 40 penguins.`,
    pictures: [
      {
        picture: await explain.dependenceChart(
          explain.partialDependence(net, x, { feature, target: kind, gridResolution: 30 }),
        ),
      },
    ],
  });

const page = await explain.picturePage(cards, {
  title: 'What decides',
  subtitle: `${mistakes.length} of ${seen} digits are misread by ${name}. This page says why, and does the same for a table of penguins.`,
});
const path = join(out, 'report.html');
writeFileSync(path, page);
console.log(`Page            ${path}`);
