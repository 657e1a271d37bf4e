// Learns to draw handwritten digits that nobody wrote, with a variational autoencoder (Kingma and Welling, 2014):
// node build/examples/vae.js, or with --help for what can be chosen. After 8 epochs a test image takes 105.9 nats, and
// runs/vae/samples.png shows digits that it drew.
import { join } from 'node:path';
import {
  compile,
  data,
  functional as F,
  init,
  manualSeed,
  nn,
  noGrad,
  optim,
  randn,
  scope,
  type Tensor,
} from 'retrograd';
import { loadMnist } from './mnist/dataset.ts';
import { savePicture } from './mnist/picture.ts';
import { createProgress } from './mnist/progress.ts';
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

const model = new Vae();
const optimizer = new optim.Adam(model.parameters(), { lr: options.lr });
const learn = compile((images: Tensor) => {
  optimizer.zeroGrad();
  const loss = model.forward(images);
  loss.backward();
  optimizer.step();
  return loss;
});
const measure = compile((images: Tensor) => noGrad(() => model.forward(images)));

const learner = new data.DataLoader(new Digits(train, 0, 1), { batchSize, shuffle: true, seed });
const tester = new data.DataLoader(new Digits(test, 0, 1), { batchSize: 1000 });
const progress = createProgress({ epochs, images: train.count });
for (let epoch = 1; epoch <= epochs; epoch++) {
  progress.startEpoch(epoch);
  let [done, loss] = [0, 0];
  for (const [images] of learner) {
    const n = images.shape[0] as number;
    loss += n * learn(images).item();
    done += n;
    progress.update(done, loss / done);
  }
  let tested = 0;
  for (const [images] of tester) tested += measure(images).item() / tester.length;
  const figures = `train ${(loss / done).toFixed(2)}  test ${tested.toFixed(2)} nats an image`;
  progress.endEpoch(`epoch ${epoch}/${epochs}  ${figures}`);
}
progress.stop();

const path = join(options.out, 'samples.png');
scope(() =>
  console.log(
    `Picture  ${savePicture(
      path,
      noGrad(() => model.sample(96)),
      16,
    )}`,
  ),
);
