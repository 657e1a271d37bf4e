// Learns to draw handwritten digits that nobody wrote, with a variational autoencoder (Kingma and Welling, 2014):
// node build/examples/vae.js, or with --help for what can be chosen. After 8 epochs a test image takes 105.9 nats, and
// runs/vae/samples.png shows digits that it drew.
import { join } from 'node:path';
import { data, functional as F, init, manualSeed, nn, noGrad, optim, randn, scope, type Tensor } from 'retrograd';
import { Trainer } from 'retrograd/train';
import { loadMnist } from './mnist/dataset.ts';
import { savePicture } from './mnist/picture.ts';
import { imageProgress } from './mnist/progress.ts';
import { Digits } from './mnist/training.ts';
import { readOptions } from './options.ts';

const options = readOptions('Train a variational autoencoder of handwritten digits, and let it draw.', {
  epochs: [8, 'times through the images'],
  batch: [128, 'images a step'],
  code: [20, 'numbers that stand for an image'],
  lr: [0.002, 'learning rate'],
  limit: [Infinity, 'train with the first n images only'],
  seed: [1, 'start of every random number; same seed, same bits'],
  data: ['', 'folder of the four files of MNIST'],
  out: ['runs/vae', 'where the picture goes'],
});
const { epochs, batch: batchSize, code, seed } = options;

await init();
manualSeed(seed);
const { train, test } = await loadMnist(options.data || undefined, options.limit);
const { rows, cols } = train;

class Vae extends nn.Module {
  readonly encoder = new nn.Sequential(new nn.Flatten(), new nn.Linear(rows * cols, 400), new nn.ReLU());
  readonly mean = new nn.Linear(400, code);
  readonly logVariance = new nn.Linear(400, code);
  readonly decoder = new nn.Sequential(
    new nn.Linear(code, 400),
    new nn.ReLU(),
    new nn.Linear(400, rows * cols),
    new nn.Unflatten(1, [1, rows, cols]),
  );

  /** The loss of images [n, 1, rows, cols] of 0 to 1, in nats an image: a bound of −log p(image). */
  forward(images: Tensor): Tensor {
    const h = this.encoder.forward(images);
    const [mean, logVariance] = [this.mean.forward(h), this.logVariance.forward(h)];
    // A code is drawn from N(mean, variance) as a function of both, so that gradients reach them.
    const z = mean.add(logVariance.mul(0.5).exp().mul(randn(mean.shape)));
    const drawn = F.binaryCrossEntropyWithLogits(this.decoder.forward(z), images, { reduction: 'sum' });
    // How far the codes are from N(0, 1), from which sample() draws them.
    const divergence = logVariance.add(1).sub(mean.square()).sub(logVariance.exp()).sum().mul(-0.5);
    return drawn.add(divergence).div(images.shape[0] as number);
  }

  /** n new images [n, 1, rows, cols] of 0 to 1. */
  sample(n: number): Tensor {
    return F.sigmoid(this.decoder.forward(randn([n, code])));
  }
}

type Batch = [images: Tensor, labels: Tensor];

/** The model gives its loss itself. */
class VaeTrainer extends Trainer<Vae, Batch> {
  override trainingStep([images]: Batch): Tensor {
    return this.model.forward(images);
  }
}

const model = new Vae();
const trainer = new VaeTrainer(model, {
  optimizer: new optim.Adam(model.parameters(), { lr: options.lr }),
  callbacks: [
    imageProgress(({ loss = 0, valLoss = 0 }) => `train ${loss.toFixed(2)}  test ${valLoss.toFixed(2)} nats an image`),
  ],
});
await trainer.fit(new data.DataLoader(new Digits(train, 0, 1), { batchSize, shuffle: true, seed }), {
  epochs,
  validation: new data.DataLoader(new Digits(test, 0, 1), { batchSize: 1000 }),
});

const path = join(options.out, 'samples.png');
scope(() => {
  const drawn = noGrad(() => model.sample(96));
  console.log(`Picture  ${savePicture(path, drawn, 16)}`);
});
