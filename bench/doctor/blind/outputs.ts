// Faults between the last layer and the loss.
import { functional as F, nn, optim, type Tensor } from 'retrograd';
import type { Program } from '../program.ts';
import {
  cars,
  clouds,
  diamonds,
  digits,
  firstToken,
  penguins,
  surface,
  targets,
  traits,
  unitDigits,
  waves,
  weather,
} from './data.ts';
import { accuracy, binaryAccuracy, r2, type Score, supervised } from './loop.ts';
import { cnn, extended, faulty, mlp, Reader, TokenTransformer } from './models.ts';

/** A model that ends in a function, as people write it in forward(). */
class Ending extends nn.Module {
  readonly body: nn.Sequential;
  readonly #end: (x: Tensor) => Tensor;
  constructor(body: nn.Sequential, end: (x: Tensor) => Tensor) {
    super();
    this.body = body;
    this.#end = end;
  }
  forward(x: Tensor): Tensor {
    return this.#end(this.body.forward(x));
  }
}
const same = (x: Tensor): Tensor => x;
const traitAccuracy =
  (threshold: number): Score =>
  (model, { x, y }) =>
    model.forward(x).gt(threshold).to('f32').eq(y).to('f32').mean().item();

export const OUTPUTS: readonly Program[] = [
  faulty(
    'softmax-twice',
    'a Softmax layer before cross entropy',
    '4',
    'loss 2.3 → 1.69, score 0.78; mended loss 2.06 → 0.178, score 0.85',
    (mended) => {
      const net = mlp([784, 64, 10]);
      const model = mended ? net : extended(net, new nn.Softmax(1));
      const optimizer = new optim.SGD(model.parameters(), { lr: 0.1 });
      return supervised({ model, optimizer, loss: F.crossEntropy, data: digits(1500), score: accuracy });
    },
    { acceptable: ['loss-does-not-fit-output'], shows: (run, mended) => run.last > mended.last + 0.5 },
  ),
  faulty(
    'softmax-twice',
    'softmax at the end of forward()',
    null,
    'loss 2.3 → 1.88, score 0.55; mended loss 2.27 → 0.279, score 0.84',
    (mended) => {
      const model = new Ending(cnn(), mended ? same : (x) => F.softmax(x, 1));
      const optimizer = new optim.SGD(model.parameters(), { lr: 0.05, momentum: 0.9 });
      return supervised({
        model,
        optimizer,
        loss: new nn.CrossEntropyLoss(),
        data: digits(1500),
        score: accuracy,
        batch: 32,
        steps: 100,
        compiled: true,
      });
    },
    { acceptable: ['loss-does-not-fit-output'], shows: (run, mended) => run.last > mended.last + 0.5 },
  ),
  faulty(
    'softmax-twice',
    'a transformer that gives probabilities to cross entropy',
    'head.1',
    'loss 1.8 → 1.05, score 1.00; mended loss 1.86 → 0.0164, score 1.00',
    (mended) => {
      const model = new TokenTransformer(6, 12, 6);
      const head = model.head;
      if (!mended) Object.assign(model, { head: new nn.Sequential(head, new nn.Softmax(-1)) });
      const optimizer = new optim.Adam(model.parameters(), { lr: 0.005 });
      return supervised({
        model,
        optimizer,
        loss: F.crossEntropy,
        data: firstToken(1000, 12, 6),
        score: accuracy,
        batch: 32,
        steps: 120,
        compiled: true,
      });
    },
    { acceptable: ['loss-does-not-fit-output'], shows: (run, mended) => run.last > mended.last + 0.2 },
  ),

  faulty(
    'softmax-missing',
    'nllLoss of logits',
    null,
    'loss -0.372 → -6.5e+26, score 0.10; mended loss 2.2 → 0.28, score 0.83',
    (mended) => {
      const net = mlp([784, 64, 10]);
      const model = mended ? extended(net, new nn.LogSoftmax(1)) : net;
      const optimizer = new optim.SGD(model.parameters(), { lr: 0.05 });
      return supervised({ model, optimizer, loss: F.nllLoss, data: digits(1500), score: accuracy });
    },
    { acceptable: ['loss-does-not-fit-output'], shows: (run) => run.last < -100 || !Number.isFinite(run.last) },
  ),
  faulty(
    'softmax-missing',
    'NLLLoss for weather, without a LogSoftmax',
    null,
    'loss -0.194 → -50.8, score 0.57; mended loss 1.46 → 0.613, score 0.80',
    (mended) => {
      const net = mlp([4, 32, 5], () => new nn.Tanh());
      const model = mended ? extended(net, new nn.LogSoftmax(1)) : net;
      const optimizer = new optim.Adam(model.parameters(), { lr: 0.01 });
      return supervised({ model, optimizer, loss: new nn.NLLLoss(), data: weather(), score: accuracy, compiled: true });
    },
    { acceptable: ['loss-does-not-fit-output'], shows: (run) => run.last < -2 },
  ),
  faulty(
    'softmax-missing',
    'cross entropy by hand, of scores that are no probabilities',
    null,
    'loss 4.82 → -3.21, score 0.86; mended loss 1.17 → 0.0193, score 0.99',
    (mended) => {
      const net = mlp([4, 32, 3]);
      const model = mended ? extended(net, new nn.Softmax(1)) : net;
      const optimizer = new optim.Adam(model.parameters(), { lr: 0.01 });
      const loss = (p: Tensor, y: Tensor): Tensor =>
        F.oneHot(y, 3).to('f32').mul(p.clamp(1e-7, 1e7).log()).sum(1).neg().mean();
      return supervised({ model, optimizer, loss, data: penguins(), score: accuracy, batch: 16 });
    },
    { acceptable: ['loss-does-not-fit-output'], shows: (run) => run.last < -0.5 },
  ),

  faulty(
    'loss-does-not-fit-output',
    'outputs [n, 1] minus targets [n] are [n, n]',
    null,
    'loss 1.02 → 0.955, score 0.03; mended loss 0.49 → 0.0998, score 0.88',
    (mended) => {
      const model = mlp([6, 32, 1]);
      const optimizer = new optim.Adam(model.parameters(), { lr: 0.01 });
      const loss = (output: Tensor, y: Tensor): Tensor => (mended ? output.squeeze(1) : output).sub(y).square().mean();
      const data = targets(cars(), (y) => y.squeeze(1));
      const score: Score = (net, { x, y }) =>
        r2({ forward: (z: Tensor) => net.forward(z).squeeze(1) } as never, { x, y });
      return supervised({ model, optimizer, loss, data, score, batch: 32 });
    },
  ),
  faulty(
    'loss-does-not-fit-output',
    'BCEWithLogitsLoss behind a sigmoid',
    null,
    'loss 0.808 → 0.636, score 0.31; mended loss 0.628 → 0.238, score 0.87',
    (mended) => {
      const model = extended(mlp([8, 32, 1]), ...(mended ? [] : [new nn.Sigmoid()]));
      const optimizer = new optim.Adam(model.parameters(), { lr: 0.003 });
      const data = clouds(2000, 8, 0.3, 0.4);
      return supervised({ model, optimizer, loss: new nn.BCEWithLogitsLoss(), data, score: binaryAccuracy() });
    },
    { acceptable: ['softmax-twice'] },
  ),
  faulty(
    'loss-does-not-fit-output',
    'several traits of a digit by softmax and cross entropy',
    null,
    'loss 0.672 → 0.451, score 0.72; mended loss 0.651 → 0.177, score 0.88',
    (mended) => {
      const model = extended(mlp([784, 64, 3]), mended ? new nn.Sigmoid() : new nn.Softmax(1));
      const optimizer = new optim.Adam(model.parameters(), { lr: 0.002 });
      const data = targets(unitDigits(1500), traits);
      return supervised({ model, optimizer, loss: new nn.BCELoss(), data, score: traitAccuracy(0.5), compiled: true });
    },
  ),
  faulty(
    'loss-does-not-fit-output',
    'a sigmoid at the output of a regression to targets on both sides of 0',
    null,
    'loss 1.15 → 0.525, score 0.43; mended loss 0.677 → 0.0622, score 0.92',
    (mended) => {
      const model = extended(mlp([6, 32, 1]), ...(mended ? [] : [new nn.Sigmoid()]));
      const optimizer = new optim.Adam(model.parameters(), { lr: 0.01 });
      return supervised({ model, optimizer, loss: F.mseLoss, data: diamonds(), score: r2 });
    },
    { acceptable: ['saturated-activation', 'underfitting'] },
  ),

  faulty(
    'wrong-sign',
    'the log likelihood is minimised',
    null,
    'loss -2.42 → -3.7e+15, score 0.11; mended loss 2.33 → 0.75, score 0.75',
    (mended) => {
      const model = extended(mlp([784, 64, 10]), new nn.LogSoftmax(1));
      const optimizer = new optim.SGD(model.parameters(), { lr: 0.01 });
      const loss = (logs: Tensor, y: Tensor): Tensor => {
        const likelihood = logs.mul(F.oneHot(y, 10).to('f32')).sum(1).mean();
        return mended ? likelihood.neg() : likelihood;
      };
      return supervised({ model, optimizer, loss, data: digits(1500), score: accuracy });
    },
  ),
  faulty(
    'wrong-sign',
    'an optimizer that maximises',
    null,
    'loss 0.588 → 362, score -740.02; mended loss 0.457 → 0.00662, score 0.99',
    (mended) => {
      const model = new Reader('GRU', 1, 16, 1);
      const optimizer = new optim.Adam(model.parameters(), { lr: 0.005, maximize: !mended });
      return supervised({
        model,
        optimizer,
        loss: F.mseLoss,
        data: waves(600, 20),
        score: r2,
        batch: 32,
        compiled: true,
      });
    },
  ),
  faulty(
    'wrong-sign',
    'an ascent by a negated loss',
    null,
    'loss -0.698 → -3.2e+34, score -3.2e+35; mended loss 0.648 → 0.543, score 0.19',
    (mended) => {
      const model = mlp([2, 32, 1], () => new nn.Tanh());
      const optimizer = new optim.SGD(model.parameters(), { lr: 0.01 });
      return supervised({
        model,
        optimizer,
        loss: F.mseLoss,
        data: surface(1500, 0.05),
        score: r2,
        steps: 200,
        update: (x, y) => {
          optimizer.zeroGrad();
          const output = model.forward(x);
          const error = F.mseLoss(output, y);
          const reward = mended ? error : error.neg();
          reward.backward();
          optimizer.step();
          return [reward, output];
        },
      });
    },
    { shows: (run, mended) => !(run.score > mended.score - 0.3) },
  ),
];
