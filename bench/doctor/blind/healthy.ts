// Programs without a fault, among them such as are easily taken for faulty.
import { functional as F, nn, noGrad, optim, type Tensor, tensor, where } from 'retrograd';
import type { Criterion, Measured, Program } from '../program.ts';
import {
  cars,
  clouds,
  diamonds,
  digits,
  firstToken,
  mapSplit,
  penguins,
  phrases,
  type Split,
  surface,
  targets,
  traits,
  unitDigits,
  waves,
} from './data.ts';
import { accuracy, balancedAccuracy, lossOf, type Net, r2, type Score, supervised } from './loop.ts';
import { cnn, healthy, mlp, Reader, sequenceLoss, TokenReader, TokenTransformer, weightsOf } from './models.ts';

const norms = (channels: number): nn.Layer[] => [new nn.BatchNorm2d(channels)];
/** Every `every` turns: a look at held-out data, as it should be done. */
const looks =
  (model: Net, { validation }: Split, loss: Criterion, every: number) =>
  (i: number): void => {
    if (i === 0 || i % every !== 0) return;
    model.eval();
    noGrad(() => lossOf(loss, model.forward(validation.x), validation.y).item());
    model.train();
  };
/** Images as their own targets. */
const copies = (count: number): Split => mapSplit(unitDigits(count), ({ x }) => ({ x, y: x.reshape([-1, 784]) }));
const better =
  (share: number) =>
  ({ first, last }: Measured): boolean =>
    last < share * first;
const everyPlace: Score = (model, { x, y }) => model.forward(x).argmax(-1).eq(y).to('f32').mean().item();

export const HEALTHY: readonly Program[] = [
  healthy('an MLP by Adam', 'loss 2.18 → 0.305, score 0.86', () => {
    const model = mlp([784, 64, 10]);
    const optimizer = new optim.Adam(model.parameters(), { lr: 0.001 });
    const data = digits(6000);
    return supervised({
      model,
      optimizer,
      loss: F.crossEntropy,
      data,
      score: accuracy,
      before: looks(model, data, F.crossEntropy, 40),
    });
  }),
  healthy('a CNN with batch norm, by SGD with momentum', 'loss 2.09 → 0.324, score 0.91', () => {
    const model = cnn(norms);
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.05, momentum: 0.9 });
    const data = digits(6000);
    return supervised({
      model,
      optimizer,
      loss: new nn.CrossEntropyLoss(),
      data,
      score: accuracy,
      batch: 32,
      compiled: true,
      before: looks(model, data, F.crossEntropy, 50),
    });
  }),
  healthy('pixels from 0 to 1, many of which are always 0', 'loss 2.25 → 0.276, score 0.85', () => {
    const model = mlp([784, 64, 10]);
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.1, momentum: 0.9 });
    return supervised({ model, optimizer, loss: F.crossEntropy, data: unitDigits(6000), score: accuracy });
  }),
  healthy('an LSTM that reads images by rows, clipped', 'loss 2.31 → 0.497, score 0.73', () => {
    const model = new Reader('LSTM', 28, 32, 10);
    const optimizer = new optim.Adam(model.parameters(), { lr: 0.01 });
    return supervised({
      model,
      optimizer,
      loss: F.crossEntropy,
      data: digits(2000),
      score: accuracy,
      batch: 32,
      compiled: true,
      update: (x, y) => {
        optimizer.zeroGrad();
        const output = model.forward(x);
        const loss = F.crossEntropy(output, y);
        loss.backward();
        optim.clipGradNorm(model.parameters(), 5);
        optimizer.step();
        return [loss.detach(), output.detach()];
      },
    });
  }),
  healthy('a GRU that continues waves', 'loss 0.404 → 0.00417, score 0.99', () => {
    const model = new Reader('GRU', 1, 16, 1);
    const optimizer = new optim.Adam(model.parameters(), { lr: 0.01 });
    return supervised({
      model,
      optimizer,
      loss: new nn.MSELoss(),
      data: waves(800, 20),
      score: r2,
      batch: 32,
      compiled: true,
    });
  }),
  healthy('a transformer that is warming up', 'loss 2.48 → 0.0473, score 0.99', () => {
    const model = new TokenTransformer(10, 16, 10, { causal: true, width: 32 });
    const optimizer = new optim.AdamW(model.parameters(), { lr: 0.004 });
    const schedule = new optim.lrScheduler.LambdaLR(optimizer, (step: number) => Math.min(1, (step + 1) / 60));
    const before = (i: number): void => {
      if (i > 0) schedule.step();
    };
    return supervised({
      model,
      optimizer,
      loss: sequenceLoss,
      data: phrases(1000, 16),
      score: everyPlace,
      batch: 16,
      steps: 110,
      before,
      compiled: true,
    });
  }),
  healthy(
    'the first hundred steps of a transformer at a low rate',
    'loss 2.45 → 0.875, score 0.86',
    () => {
      const model = new TokenTransformer(10, 16, 10, { causal: true, width: 32, dropout: 0.1 });
      const optimizer = new optim.Adam(model.parameters(), { lr: 0.0005 });
      return supervised({
        model,
        optimizer,
        loss: sequenceLoss,
        data: phrases(1000, 16),
        score: everyPlace,
        batch: 16,
        steps: 110,
      });
    },
    better(0.75),
  ),
  healthy('an autoencoder of digits', 'loss 0.204 → 0.03, score 0.66', () => {
    const model = new nn.Sequential(
      mlp([784, 128, 16]),
      new nn.Sequential(new nn.Linear(16, 128), new nn.ReLU(), new nn.Linear(128, 784), new nn.Sigmoid()),
    );
    const optimizer = new optim.Adam(model.parameters(), { lr: 0.003 });
    return supervised({ model, optimizer, loss: F.mseLoss, data: copies(4000), score: r2, compiled: true, steps: 200 });
  }),
  healthy('prices of diamonds', 'loss 0.549 → 0.0592, score 0.93', () => {
    const model = mlp([6, 32, 32, 1]);
    const optimizer = new optim.Adam(model.parameters(), { lr: 0.01 });
    return supervised({ model, optimizer, loss: F.mseLoss, data: diamonds(), score: r2, compiled: true });
  }),
  healthy('miles per gallon by a linear model', 'loss 1.09 → 0.198, score 0.82', () => {
    const model = new nn.Sequential(new nn.Linear(6, 1));
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.05 });
    return supervised({ model, optimizer, loss: new nn.MSELoss(), data: cars(), score: r2, batch: 32 });
  }),
  healthy('penguins by logistic regression', 'loss 0.832 → 0.105, score 0.96', () => {
    const model = new nn.Sequential(new nn.Linear(4, 3));
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.1 });
    return supervised({ model, optimizer, loss: F.crossEntropy, data: penguins(), score: accuracy, batch: 16 });
  }),
  healthy('a quarter of the rows are of class 1', 'loss 0.584 → 0.0387, score 0.97', () => {
    const model = mlp([8, 32, 1]);
    const optimizer = new optim.Adam(model.parameters(), { lr: 0.005 });
    return supervised({
      model,
      optimizer,
      loss: new nn.BCEWithLogitsLoss(),
      data: clouds(3000, 8, 0.25, 0.7),
      score: balancedAccuracy(),
    });
  }),
  healthy('one row of seven is of class 1, and weighs more', 'loss 1.08 → 0.0676, score 0.97', () => {
    const model = mlp([8, 32, 1]);
    const optimizer = new optim.Adam(model.parameters(), { lr: 0.005 });
    const loss = new nn.BCEWithLogitsLoss({ posWeight: tensor([6]) });
    return supervised({ model, optimizer, loss, data: clouds(3000, 8, 0.14, 0.7), score: balancedAccuracy() });
  }),
  healthy('labels that are smoothed', 'loss 2.11 → 0.74, score 0.87', () => {
    const model = mlp([784, 64, 10]);
    const optimizer = new optim.Adam(model.parameters(), { lr: 0.002 });
    return supervised({
      model,
      optimizer,
      loss: new nn.CrossEntropyLoss({ labelSmoothing: 0.1 }),
      data: digits(6000),
      score: accuracy,
    });
  }),
  healthy('labels of which a fifth is wrong', 'loss 2.19 → 0.934, score 0.82', () => {
    const model = mlp([784, 32, 10]);
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.05 });
    const all = digits(6000);
    const noise = tensor(Int32Array.from({ length: 6000 }, (_, i) => (i % 5 === 0 ? (i * 7) % 10 : -1)));
    const y = where(noise.ge(0), noise, all.train.y).keep();
    return supervised({
      model,
      optimizer,
      loss: F.crossEntropy,
      data: { ...all, train: { x: all.train.x, y } },
      score: accuracy,
    });
  }),
  healthy('a backbone that is frozen on purpose', 'loss 2.05 → 0.334, score 0.83', () => {
    const model = new Tuned();
    const optimizer = new optim.Adam(model.head.parameters(), { lr: 0.01 });
    return supervised({ model, optimizer, loss: F.crossEntropy, data: digits(2000), score: accuracy, compiled: true });
  }),
  healthy('gradients added up over four batches', 'loss 1.98 → 0.45, score 0.85', () => {
    const model = mlp([784, 64, 10]);
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.1, momentum: 0.9 });
    return supervised({
      model,
      optimizer,
      loss: F.crossEntropy,
      data: digits(6000),
      score: accuracy,
      batch: 64,
      steps: 120,
      update: (x, y) => {
        optimizer.zeroGrad();
        let total = 0;
        const parts = [0, 1, 2, 3].map((k) => {
          const output = model.forward(x.narrow(0, 16 * k, 16));
          const loss = F.crossEntropy(output, y.narrow(0, 16 * k, 16)).div(4);
          loss.backward();
          total += loss.item();
          return output;
        });
        optimizer.step();
        return [tensor(total), parts[3] as Tensor];
      },
    });
  }),
  healthy('RMSprop for an RNN of short sequences', 'loss 1.84 → 0.00558, score 1.00', () => {
    const model = new TokenReader('RNN', 6, 8, 32, 6);
    const optimizer = new optim.RMSprop(model.parameters(), { lr: 0.003 });
    return supervised({
      model,
      optimizer,
      loss: F.crossEntropy,
      data: firstToken(2000, 6, 6),
      score: accuracy,
      batch: 32,
      compiled: true,
      steps: 200,
    });
  }),
  healthy(
    'one matrix for words in and out',
    'loss 1.39 → 0.0244, score 0.99',
    () => {
      const model = new Tied();
      const optimizer = new optim.Adam(model.parameters(), { lr: 0.01 });
      return supervised({ model, optimizer, loss: sequenceLoss, data: phrases(800, 12), score: everyPlace, batch: 16 });
    },
    better(0.7),
  ),
  healthy('a wide ReLU network, some of whose units are never active', 'loss 1.33 → 0.00617, score 0.99', () => {
    const model = mlp([2, 256, 1]);
    nn.init.uniform_((model[1] as nn.Linear).bias as nn.Parameter, -2.5, 2.5);
    const optimizer = new optim.Adam(model.parameters(), { lr: 0.01 });
    return supervised({ model, optimizer, loss: F.mseLoss, data: surface(2000, 0.05), score: r2 });
  }),
  healthy('clipping at 10, which is hardly ever reached', 'loss 0.226 → 0.0308, score 0.93', () => {
    const model = mlp([6, 64, 1], () => new nn.GELU());
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.05, momentum: 0.9 });
    return supervised({
      model,
      optimizer,
      loss: F.smoothL1Loss,
      data: diamonds(),
      score: r2,
      update: (x, y) => {
        optimizer.zeroGrad();
        const output = model.forward(x);
        const loss = F.smoothL1Loss(output, y);
        loss.backward();
        optim.clipGradNorm(model.parameters(), 10);
        optimizer.step();
        return [loss, output];
      },
    });
  }),
  healthy('five tanh layers of Xavier weights', 'loss 2.68 → 0.241, score 0.87', () => {
    const model = mlp([784, 64, 64, 64, 64, 10], () => new nn.Tanh());
    for (const w of weightsOf(model)) nn.init.xavierUniform_(w, 5 / 3);
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.02, momentum: 0.9 });
    return supervised({ model, optimizer, loss: F.crossEntropy, data: digits(6000), score: accuracy, compiled: true });
  }),
  healthy('several labels a row, each by a logit', 'loss 0.648 → 0.158, score 0.93', () => {
    const model = mlp([784, 64, 3]);
    const optimizer = new optim.Adam(model.parameters(), { lr: 0.002 });
    const data = targets(digits(6000), traits);
    const score: Score = (net, { x, y }) => net.forward(x).gt(0).to('f32').eq(y).to('f32').mean().item();
    return supervised({ model, optimizer, loss: F.binaryCrossEntropyWithLogits, data, score });
  }),
  healthy('a rate that falls to 0 along a cosine', 'loss 1.98 → 0.154, score 0.90', () => {
    const model = mlp([784, 64, 10]);
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.1, momentum: 0.9 });
    const schedule = new optim.lrScheduler.CosineAnnealingLR(optimizer, 150);
    const before = (i: number): void => {
      if (i > 0) schedule.step();
    };
    return supervised({ model, optimizer, loss: F.crossEntropy, data: digits(6000), score: accuracy, before });
  }),
  healthy('batches of eight, whose losses differ much', 'loss 2.22 → 0.545, score 0.82', () => {
    const model = mlp([784, 32, 10]);
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.02 });
    return supervised({
      model,
      optimizer,
      loss: F.crossEntropy,
      data: digits(6000),
      score: accuracy,
      batch: 8,
      steps: 200,
      lossOnly: true,
      tellsData: false,
    });
  }),
];

/** A body that came from elsewhere, and a head that is new. */
class Tuned extends nn.Module {
  readonly backbone = mlp([784, 256]);
  readonly head = new nn.Sequential(new nn.ReLU(), new nn.Linear(256, 10));
  constructor() {
    super();
    this.backbone.requiresGrad_(false);
  }
  forward(x: Tensor): Tensor {
    return this.head.forward(this.backbone.forward(x));
  }
}
/** A language model whose output layer is its table of embeddings. */
class Tied extends nn.Module {
  readonly embed = new nn.Embedding(10, 32);
  readonly rnn = new nn.GRU(32, 32, { batchFirst: true });
  forward(x: Tensor): Tensor {
    const [out] = this.rnn.forward(this.embed.forward(x));
    return out.matmul(this.embed.weight.t());
  }
}
