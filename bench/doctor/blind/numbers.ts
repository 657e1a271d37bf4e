// Faults of numbers: what is no number any more, and where that comes from.
import { cat, eye, functional as F, nn, optim, type Tensor } from 'retrograd';
import type { Program } from '../program.ts';
import { diamonds, digitBytes, digits, inputs, penguins, penguinsWithGaps } from './data.ts';
import { accuracy, r2, type Score, supervised } from './loop.ts';
import { faulty, mlp } from './models.ts';

export const NUMBERS: readonly Program[] = [
  faulty(
    'nan-or-inf',
    'penguins that were not all measured',
    null,
    'loss 1.25 → NaN, score 0.39; mended loss 1.26 → 0.0411, score 1.00',
    (mended) => {
      const model = mlp([4, 32, 3]);
      const optimizer = new optim.Adam(model.parameters(), { lr: 0.005 });
      return supervised({
        model,
        optimizer,
        loss: F.crossEntropy,
        data: mended ? penguins() : penguinsWithGaps(),
        score: accuracy,
        batch: 16,
      });
    },
  ),
  faulty(
    'nan-or-inf',
    'the logarithm of a probability that is 0',
    null,
    'loss NaN → NaN, score 0.09; mended loss 2.08 → 0.145, score 0.83',
    (mended) => {
      const model = withSoftmax();
      const optimizer = new optim.SGD(model.parameters(), { lr: 0.1 });
      const loss = (p: Tensor, y: Tensor): Tensor =>
        (mended ? p.add(1e-6) : p).log().mul(F.oneHot(y, 10).to('f32')).sum(1).neg().mean();
      return supervised({ model, optimizer, loss, data: mended ? digits(1000) : digitBytes(1000), score: accuracy });
    },
    { acceptable: ['data-not-normalised'] },
  ),
  faulty(
    'nan-or-inf',
    'a distance whose gradient at 0 is infinite',
    null,
    'loss NaN → NaN, score 0.12; mended loss 1.71 → 0.403, score 0.78',
    (mended) => {
      const model = mlp([784, 32, 16]);
      const optimizer = new optim.Adam(model.parameters(), { lr: 0.001 });
      // All pairs of a batch, a row with itself too: those of one digit come near to each other.
      const loss = (code: Tensor, y: Tensor): Tensor => {
        const squares = code.unsqueeze(0).sub(code.unsqueeze(1)).square().sum(2);
        const apart = (mended ? squares.add(1e-6) : squares).sqrt();
        const same = y.unsqueeze(0).eq(y.unsqueeze(1)).to('f32');
        return same
          .mul(apart.square())
          .add(same.mul(-1).add(1).mul(apart.mul(-1).add(3).relu().square()))
          .mean();
      };
      const score: Score = (net, { x, y }) => nearest(net.forward(x), y);
      return supervised({ model, optimizer, loss, data: digits(1000), score, batch: 32 });
    },
  ),
  faulty(
    'nan-or-inf',
    'a column of deviation 0 that was divided by it',
    null,
    'loss NaN → NaN, score NaN; mended loss 0.858 → 0.0609, score 0.92',
    (mended) => {
      const model = mlp([6, 32, 1]);
      const optimizer = new optim.Adam(model.parameters(), { lr: 0.005 });
      const data = mended
        ? diamonds()
        : inputs(diamonds(), (x) => {
            const constant = cat([x.narrow(1, 0, 5), x.narrow(1, 5, 1).mul(0).add(1)], 1);
            return constant.sub(constant.mean(0)).div(constant.std(0));
          });
      return supervised({ model, optimizer, loss: F.mseLoss, data, score: r2, compiled: true });
    },
    { acceptable: ['constant-input'] },
  ),
];

function withSoftmax(): nn.Sequential {
  return new nn.Sequential(
    new nn.Flatten(),
    new nn.Linear(784, 64),
    new nn.ReLU(),
    new nn.Linear(64, 10),
    new nn.Softmax(1),
  );
}

/** The share of rows whose nearest other row is of the same class. */
function nearest(code: Tensor, y: Tensor): number {
  const n = code.shape[0] as number;
  const squares = code.unsqueeze(0).sub(code.unsqueeze(1)).square().sum(2);
  const own = eye(n).mul(1e9);
  return y.indexSelect(0, squares.add(own).argmin(1)).eq(y).to('f32').sum().item() / n;
}
