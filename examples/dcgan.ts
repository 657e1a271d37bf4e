// Two networks of convolutions learn against each other, one to draw handwritten digits, one to tell them from real
// ones (DCGAN; Radford, Metz and Chintala, 2016): node build/examples/dcgan.js, or with --help for what can be chosen.
// It leaves a picture in runs/dcgan/ after each epoch, which takes two minutes of a processor; most digits of the first
// can be read, at losses of 0.947 of the discriminator and 1.555 of the generator.
import { join } from 'node:path';
import {
  data,
  functional as F,
  init,
  manualSeed,
  nn,
  noGrad,
  onesLike,
  optim,
  randn,
  scope,
  type Tensor,
  zerosLike,
} from 'retrograd';
import { type Callback, type Figures, Trainer } from 'retrograd/train';
import { loadMnist } from './mnist/dataset.ts';
import { savePicture } from './mnist/picture.ts';
import { imageProgress } from './mnist/progress.ts';
import { Digits } from './mnist/training.ts';
import { readOptions } from './options.ts';

const options = readOptions('Train a generative adversarial network of handwritten digits.', {
  epochs: [3, 'times through the images'],
  batch: [64, 'images a step'],
  noise: [64, 'numbers that an image is drawn from'],
  width: [32, 'channels of the widest images'],
  lr: [0.0005, 'learning rate'],
  limit: [Infinity, 'train with the first n images only'],
  seed: [1, 'start of every random number; same seed, same bits'],
  data: ['', 'folder of the four files of MNIST'],
  out: ['runs/dcgan', 'where the pictures go'],
});
const { epochs, batch: batchSize, noise, width, seed } = options;

await init();
manualSeed(seed);
const { train } = await loadMnist(options.data || undefined, options.limit);

/** Noise [n, noise, 1, 1] → images [n, 1, 28, 28] of -1 to 1. */
const generator = new nn.Sequential(
  new nn.ConvTranspose2d(noise, 2 * width, 7, { bias: false }),
  new nn.BatchNorm2d(2 * width),
  new nn.ReLU(),
  new nn.ConvTranspose2d(2 * width, width, 4, { stride: 2, padding: 1, bias: false }),
  new nn.BatchNorm2d(width),
  new nn.ReLU(),
  new nn.ConvTranspose2d(width, 1, 4, { stride: 2, padding: 1 }),
  new nn.Tanh(),
);
/** Images → logits [n, 1, 1, 1] of being real. */
const discriminator = new nn.Sequential(
  new nn.Conv2d(1, width, 4, { stride: 2, padding: 1 }),
  new nn.LeakyReLU(0.2),
  new nn.Conv2d(width, 2 * width, 4, { stride: 2, padding: 1, bias: false }),
  new nn.BatchNorm2d(2 * width),
  new nn.LeakyReLU(0.2),
  new nn.Conv2d(2 * width, 1, 7),
);
for (const network of [generator, discriminator])
  for (const p of network.parameters()) if (p.ndim > 1) nn.init.normal_(p, 0, 0.02);

/** Both, as one. */
class Adversaries extends nn.Module {
  readonly generator = generator;
  readonly discriminator = discriminator;
}

type Batch = [images: Tensor, labels: Tensor];

/** Two losses, and an optimizer for each. */
class Gan extends Trainer<Adversaries, Batch> {
  override readonly automaticOptimization = false;

  override trainingStep([images]: Batch) {
    const [drawing, telling] = this.optimizers as [optim.Adam, optim.Adam];
    const drawn = generator.forward(randn([images.shape[0] as number, noise, 1, 1]));
    telling.zeroGrad();
    const told = error(images, true).add(error(drawn.detach(), false));
    told.backward();
    telling.step();

    drawing.zeroGrad();
    const fooled = error(drawn, true);
    fooled.backward();
    drawing.step();
    return { discriminator: told, generator: fooled };
  }
}

/** How far the discriminator is from taking all these images for real ones, or none. */
function error(images: Tensor, real: boolean): Tensor {
  const logits = discriminator.forward(images);
  return F.binaryCrossEntropyWithLogits(logits, real ? onesLike(logits) : zerosLike(logits));
}

const losses = ({ discriminator = 0, generator = 0 }: Readonly<Figures>): string =>
  `discriminator ${discriminator.toFixed(3)}  generator ${generator.toFixed(3)}`;
const fixed = randn([96, noise, 1, 1]); // the same for each picture, to see how they come to be

/** Draws a picture after each epoch. */
const drawing: Callback<Trainer> = {
  onEpochEnd({ epoch }) {
    generator.eval();
    scope(() => {
      const images = noGrad(() => generator.forward(fixed).add(1).div(2));
      console.log(`Picture  ${savePicture(join(options.out, `epoch-${epoch + 1}.png`), images, 16)}`);
    });
    generator.train();
  },
};

const optimizer = [generator, discriminator].map(
  (network) => new optim.Adam(network.parameters(), { lr: options.lr, betas: [0.5, 0.999] }),
);
const gan = new Gan(new Adversaries(), { optimizer, callbacks: [imageProgress(losses, losses), drawing] });
const images = new Digits(train, 0.5, 0.5);
await gan.fit(new data.DataLoader(images, { batchSize, shuffle: true, dropLast: true, seed }), { epochs });
