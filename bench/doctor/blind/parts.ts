// Faults of what learns: parts that no optimizer has, that get no gradient, that never change.
import { functional as F, nn, noGrad, optim, type Tensor } from 'retrograd';
import type { Program } from '../program.ts';
import { digits, firstToken, majority, penguins, surface, unitDigits } from './data.ts';
import { accuracy, r2, supervised } from './loop.ts';
import { faulty, mlp, TokenReader } from './models.ts';

/** A body that is not trained with its head. */
class TwoParts extends nn.Module {
  readonly backbone: nn.Sequential;
  head: nn.Module & { forward(x: Tensor): Tensor };
  readonly #between: (x: Tensor) => Tensor;
  constructor(
    backbone: nn.Sequential,
    head: nn.Module & { forward(x: Tensor): Tensor },
    between: (x: Tensor) => Tensor = (x) => x,
  ) {
    super();
    this.backbone = backbone;
    this.head = head;
    this.#between = between;
  }
  forward(x: Tensor): Tensor {
    return this.head.forward(this.#between(this.backbone.forward(x)));
  }
}
/** Two ways to the output, one of which forward() forgets. */
class Forgotten extends nn.Module {
  readonly stem = new nn.Linear(2, 32);
  readonly skip = new nn.Linear(2, 32);
  readonly hidden = new nn.Linear(32, 32);
  readonly head = new nn.Linear(32, 1);
  readonly #all: boolean;
  constructor(all: boolean) {
    super();
    this.#all = all;
  }
  forward(x: Tensor): Tensor {
    const h = this.stem.forward(x).relu();
    if (!this.#all) return this.head.forward(h);
    return this.head.forward(this.hidden.forward(h).relu().add(this.skip.forward(x)));
  }
}
export const PARTS: readonly Program[] = [
  faulty(
    'parameters-not-in-optimizer',
    'only the head is given to the optimizer',
    ['backbone', 'backbone.1', 'backbone.3'],
    'loss 2.35 → 1.82, score 0.39; mended loss 2.15 → 0.181, score 0.84',
    (mended) => {
      const model = new TwoParts(mlp([784, 48, 12]), new nn.Linear(12, 10));
      const optimizer = new optim.SGD(mended ? model.parameters() : model.head.parameters(), {
        lr: 0.1,
        momentum: 0.9,
      });
      return supervised({ model, optimizer, loss: F.crossEntropy, data: digits(1500), score: accuracy });
    },
    { acceptable: ['weights-never-change'] },
  ),
  faulty(
    'parameters-not-in-optimizer',
    'a head that was replaced after the optimizer was made',
    'head',
    'loss 1.14 → 0.00761, score 0.97; mended loss 1.13 → 0.0069, score 0.97',
    (mended) => {
      const model = new TwoParts(mlp([4, 32, 32]), new nn.Linear(32, 10));
      let optimizer = new optim.Adam(model.parameters(), { lr: 0.005 });
      model.head = new nn.Linear(32, 3);
      nn.init.normal_((model.head as nn.Linear).weight, 0, 1);
      if (mended) optimizer = new optim.Adam(model.parameters(), { lr: 0.005 });
      return supervised({
        model,
        optimizer,
        loss: new nn.CrossEntropyLoss(),
        data: penguins(),
        score: accuracy,
        batch: 16,
        compiled: true,
      });
    },
    { acceptable: ['weights-never-change'], shows: (run, mended) => run.last > mended.last },
  ),
  faulty(
    'parameters-not-in-optimizer',
    'an autoencoder whose decoder alone learns',
    ['0', '0.1', '0.3'],
    'loss 0.224 → 0.0642, score 0.27; mended loss 0.218 → 0.045, score 0.43',
    (mended) => {
      const encoder = mlp([784, 64, 4]);
      const decoder = new nn.Sequential(new nn.Linear(4, 64), new nn.ReLU(), new nn.Linear(64, 784), new nn.Sigmoid());
      const model = new nn.Sequential(encoder, decoder);
      const optimizer = new optim.Adam(mended ? model.parameters() : decoder.parameters(), { lr: 0.003 });
      const images = unitDigits(1000);
      const own = (t: { x: Tensor }) => ({ x: t.x, y: t.x.reshape([-1, 784]) });
      const data = { train: own(images.train), validation: own(images.validation), test: own(images.test) };
      return supervised({ model, optimizer, loss: F.mseLoss, data, score: r2, compiled: true });
    },
    { acceptable: ['weights-never-change'], shows: (run, mended) => run.score < mended.score - 0.05 },
  ),

  faulty(
    'parameters-without-gradient',
    'detach() between body and head',
    ['backbone', 'backbone.1', 'backbone.3'],
    'loss 2.35 → 2.23, score 0.23; mended loss 2.23 → 0.23, score 0.82',
    (mended) => {
      const model = new TwoParts(mlp([784, 48, 12]), new nn.Linear(12, 10), (x) => (mended ? x : x.detach()));
      const optimizer = new optim.SGD(model.parameters(), { lr: 0.1 });
      return supervised({ model, optimizer, loss: F.crossEntropy, data: digits(1500), score: accuracy });
    },
    { acceptable: ['weights-never-change'] },
  ),
  faulty(
    'parameters-without-gradient',
    'layers that forward() never calls',
    ['skip', 'hidden'],
    'loss 0.568 → 0.0117, score 0.98; mended loss 0.715 → 0.00836, score 0.98; their gradients are null',
    (mended) => {
      const model = new Forgotten(mended);
      const optimizer = new optim.Adam(model.parameters(), { lr: 0.01 });
      return supervised({ model, optimizer, loss: F.mseLoss, data: surface(1500, 0.05), score: r2, compiled: true });
    },
    { acceptable: ['weights-never-change'], shows: ({ run }) => run.model.parameters().some((p) => p.grad === null) },
  ),
  faulty(
    'parameters-without-gradient',
    'an embedding that is looked up without a tape',
    ['backbone', 'backbone.0'],
    'loss 1.83 → 0.275, score 0.88; mended loss 1.83 → 0.159, score 0.94; its gradient is null',
    (mended) => {
      const backbone = new nn.Sequential(new nn.Embedding(6, 4), new nn.Flatten());
      const model = new TwoParts(backbone, mlp([48, 32, 6]));
      const optimizer = new optim.Adam(model.parameters(), { lr: 0.003 });
      const forward = model.forward;
      if (!mended) model.forward = (x: Tensor) => model.head.forward(noGrad(() => backbone.forward(x)));
      else model.forward = forward;
      return supervised({
        model,
        optimizer,
        loss: F.crossEntropy,
        data: firstToken(1000, 12, 6),
        score: accuracy,
        batch: 32,
      });
    },
    { acceptable: ['weights-never-change'], shows: ({ run }) => run.model.parameters().some((p) => p.grad === null) },
  ),

  faulty(
    'weights-never-change',
    'step() is never called',
    null,
    'loss 2.36 → 2.37, score 0.06; mended loss 2.06 → 0.109, score 0.82',
    (mended) => {
      const model = mlp([784, 64, 10]);
      const optimizer = new optim.Adam(model.parameters(), { lr: 0.002 });
      return supervised({
        model,
        optimizer,
        loss: F.crossEntropy,
        data: digits(1000),
        score: accuracy,
        steps: 100,
        update: (x, y) => {
          optimizer.zeroGrad();
          const output = model.forward(x);
          const loss = F.crossEntropy(output, y);
          loss.backward();
          if (mended) optimizer.step();
          return [loss, output];
        },
      });
    },
    { acceptable: ['loss-does-not-move'] },
  ),
  faulty(
    'weights-never-change',
    'a schedule that starts at 0 and stays there',
    null,
    'loss 0.715 → 0.723, score 0.53; mended loss 0.713 → 0.0268, score 1.00',
    (mended) => {
      const model = new TokenReader('LSTM', 8, 8, 16, 2);
      const optimizer = new optim.Adam(model.parameters(), { lr: 0.01 });
      // Epochs divided by 10, as whole numbers.
      const schedule = new optim.lrScheduler.LambdaLR(optimizer, (epoch: number) =>
        mended ? (epoch + 1) / 10 : Math.floor((epoch + 1) / 10),
      );
      const before = (i: number): void => {
        if (i > 0 && i % 30 === 0) schedule.step();
      };
      return supervised({
        model,
        optimizer,
        loss: F.crossEntropy,
        data: majority(1500, 9, 8),
        score: accuracy,
        before,
        compiled: true,
      });
    },
    { acceptable: ['loss-does-not-move', 'learning-rate-too-low'] },
  ),
  faulty(
    'weights-never-change',
    'an optimizer of copies of the weights',
    null,
    'loss 0.668 → 0.697, score -0.10; mended loss 0.692 → 0.0153, score 0.98',
    (mended) => {
      const model = mlp([2, 32, 1], () => new nn.Tanh());
      const copies = model.parameters().map((p) => (mended ? p : p.detach().clone().requiresGrad_()));
      const optimizer = new optim.SGD(copies, { lr: 0.1, momentum: 0.9 });
      return supervised({ model, optimizer, loss: new nn.MSELoss(), data: surface(1500, 0.05), score: r2 });
    },
    { acceptable: ['loss-does-not-move', 'parameters-not-in-optimizer'] },
  ),
];
