// Faults of how far a step goes, and of losses that do not get anywhere.
import { functional as F, nn, optim, type Tensor } from 'retrograd';
import type { Measured, Program } from '../program.ts';
import { cars, clouds, diamonds, digits, firstToken, inputs, parity, penguins, unitDigits, waves } from './data.ts';
import { accuracy, binaryAccuracy, r2, supervised } from './loop.ts';
import { cnn, extended, faulty, mlp, Reader, TokenTransformer } from './models.ts';

/** How far the loss goes up and down from step to step, beside what it is. */
const swing = ({ losses }: Measured): number => {
  const late = losses.slice(-60);
  const ways = late.slice(1).map((value, i) => Math.abs(value - (late[i] as number)));
  return ways.reduce((sum, way) => sum + way, 0) / late.reduce((sum, value) => sum + value, 0);
};
const swings = (run: Measured, mended: Measured): boolean =>
  Number.isFinite(run.last) && swing(run) > Math.min(0.5, 2 * swing(mended)) && run.last > 1.5 * mended.last;

export const RATES: readonly Program[] = [
  faulty(
    'learning-rate-too-high',
    'SGD at 10',
    null,
    'loss 2.9e+5 → 2.41, score 0.12; mended loss 2.06 → 0.178, score 0.85',
    (mended) => {
      const model = mlp([784, 64, 10]);
      const optimizer = new optim.SGD(model.parameters(), { lr: mended ? 0.1 : 10 });
      return supervised({
        model,
        optimizer,
        loss: F.crossEntropy,
        data: digits(1500),
        score: accuracy,
        compiled: true,
      });
    },
    { acceptable: ['loss-oscillates'] },
  ),
  faulty(
    'learning-rate-too-high',
    'Adam at 0.3 for a CNN',
    null,
    'loss 100 → 2.33, score 0.10; mended loss 2.25 → 0.212, score 0.87',
    (mended) => {
      const model = cnn();
      const optimizer = new optim.Adam(model.parameters(), { lr: mended ? 0.003 : 0.3 });
      return supervised({
        model,
        optimizer,
        loss: new nn.CrossEntropyLoss(),
        data: digits(1500),
        score: accuracy,
        batch: 32,
        steps: 120,
      });
    },
    { acceptable: ['loss-oscillates'] },
  ),
  faulty(
    'learning-rate-too-high',
    'a linear regression that diverges',
    null,
    'loss 2.5e+7 → NaN, score NaN; mended loss 1.09 → 0.198, score 0.82',
    (mended) => {
      const model = new nn.Sequential(new nn.Linear(6, 1));
      const optimizer = new optim.SGD(model.parameters(), { lr: mended ? 0.05 : 1.2 });
      return supervised({ model, optimizer, loss: F.mseLoss, data: cars(), score: r2, batch: 32 });
    },
    { acceptable: ['exploding-gradients', 'nan-or-inf'] },
  ),
  faulty(
    'learning-rate-too-high',
    'Adam at 1 for a transformer',
    null,
    'loss 12.6 → 1.94, score 0.18; mended loss 1.87 → 0.0345, score 1.00',
    (mended) => {
      const model = new TokenTransformer(6, 12, 6);
      const optimizer = new optim.Adam(model.parameters(), { lr: mended ? 0.003 : 1 });
      return supervised({
        model,
        optimizer,
        loss: F.crossEntropy,
        data: firstToken(1000, 12, 6),
        score: accuracy,
        batch: 32,
        compiled: true,
      });
    },
    { acceptable: ['loss-oscillates', 'loss-does-not-move'] },
  ),

  faulty(
    'learning-rate-too-low',
    'SGD at 0.00001',
    null,
    'loss 2.32 → 2.32, score 0.07; mended loss 2.28 → 0.444, score 0.81',
    (mended) => {
      const model = mlp([784, 64, 10]);
      const optimizer = new optim.SGD(model.parameters(), { lr: mended ? 0.1 : 1e-5 });
      return supervised({ model, optimizer, loss: F.crossEntropy, data: unitDigits(1500), score: accuracy });
    },
    { acceptable: ['loss-does-not-move'] },
  ),
  faulty(
    'learning-rate-too-low',
    'Adam at 0.000001 for a transformer',
    null,
    'loss 1.89 → 1.84, score 0.17; mended loss 1.87 → 0.0345, score 1.00',
    (mended) => {
      const model = new TokenTransformer(6, 12, 6);
      const optimizer = new optim.Adam(model.parameters(), { lr: mended ? 3e-3 : 1e-6 });
      return supervised({
        model,
        optimizer,
        loss: new nn.CrossEntropyLoss(),
        data: firstToken(1000, 12, 6),
        score: accuracy,
        batch: 32,
        compiled: true,
      });
    },
    { acceptable: ['loss-does-not-move'] },
  ),
  faulty(
    'learning-rate-too-low',
    'RMSprop at 0.000005 for a GRU',
    null,
    'loss 0.512 → 0.486, score 0.08; mended loss 0.28 → 0.00535, score 0.99',
    (mended) => {
      const model = new Reader('GRU', 1, 16, 1);
      const optimizer = new optim.RMSprop(model.parameters(), { lr: mended ? 0.005 : 5e-6 });
      return supervised({
        model,
        optimizer,
        loss: new nn.MSELoss(),
        data: waves(600, 20),
        score: r2,
        batch: 32,
        compiled: true,
      });
    },
    { acceptable: ['loss-does-not-move'] },
  ),

  faulty(
    'loss-oscillates',
    'full batches of an absolute error, by steps that are too long for it',
    null,
    'loss 1.37 → 0.48, score 0.72; mended loss 0.481 → 0.251, score 0.84',
    (mended) => {
      const model = mlp([6, 32, 1], () => new nn.Tanh());
      const optimizer = new optim.SGD(model.parameters(), { lr: mended ? 0.05 : 1 });
      return supervised({ model, optimizer, loss: F.l1Loss, data: cars(), score: r2, batch: 10_000 });
    },
    { acceptable: ['learning-rate-too-high'], shows: swings },
  ),
  faulty(
    'loss-oscillates',
    'momentum of 0.99 and a large rate',
    null,
    'loss 0.723 → 0.555, score 0.96; mended loss 1.25 → 0.0373, score 1.00',
    (mended) => {
      const model = mlp([4, 32, 3]);
      const optimizer = new optim.SGD(model.parameters(), { lr: mended ? 0.02 : 0.5, momentum: mended ? 0.9 : 0.99 });
      return supervised({
        model,
        optimizer,
        loss: new nn.CrossEntropyLoss(),
        data: penguins(),
        score: accuracy,
        batch: 32,
      });
    },
    { acceptable: ['learning-rate-too-high'], shows: swings },
  ),
  faulty(
    'loss-oscillates',
    'one image a step, at a large rate',
    null,
    'loss 3.76 → 2.46, score 0.15; mended loss 2.08 → 0.199, score 0.84',
    (mended) => {
      const model = mlp([784, 32, 10]);
      const optimizer = new optim.SGD(model.parameters(), { lr: mended ? 0.05 : 0.15 });
      return supervised({
        model,
        optimizer,
        loss: F.crossEntropy,
        data: digits(1000),
        score: accuracy,
        batch: mended ? 32 : 1,
        steps: 200,
      });
    },
    { acceptable: ['learning-rate-too-high'] },
  ),

  faulty(
    'loss-does-not-move',
    'softmax over a single unit',
    null,
    'loss 57.5 → 53, score 0.50; mended loss 0.675 → 0.148, score 0.91',
    (mended) => {
      const net = mlp([8, 16, 1]);
      const model = extended(net, mended ? new nn.Sigmoid() : new nn.Softmax(1));
      const optimizer = new optim.Adam(model.parameters(), { lr: 0.01 });
      const score = binaryAccuracy(0.5);
      return supervised({ model, optimizer, loss: new nn.BCELoss(), data: clouds(1200, 8, 0.5, 0.5), score });
    },
    {
      acceptable: [
        'loss-does-not-fit-output',
        'parameters-without-gradient',
        'weights-never-change',
        'vanishing-gradients',
      ],
    },
  ),
  faulty(
    'loss-does-not-move',
    'the parity of 24 bits',
    null,
    'loss 0.691 → 0.691, score 0.50; mended loss 0.694 → 0.00171, score 1.00',
    (mended) => {
      const model = new Reader('LSTM', 1, 16, 1);
      const optimizer = new optim.Adam(model.parameters(), { lr: 0.02 });
      const data = parity(mended ? 3000 : 1000, mended ? 2 : 24);
      return supervised({
        model,
        optimizer,
        loss: F.binaryCrossEntropyWithLogits,
        data,
        score: binaryAccuracy(),
        compiled: true,
      });
    },
    { acceptable: ['underfitting'] },
  ),
  faulty(
    'loss-does-not-move',
    'inputs that were rounded to whole numbers, so that nothing is left of them',
    null,
    'loss 2.31 → 2.3, score 0.10; mended loss 2.3 → 0.703, score 0.77',
    (mended) => {
      const model = cnn();
      const optimizer = new optim.SGD(model.parameters(), { lr: 0.05 });
      // Integer division of bytes by 256.
      const data = mended ? unitDigits(1000) : inputs(unitDigits(1000), (x) => x.mul(0.99).floor());
      return supervised({ model, optimizer, loss: F.crossEntropy, data, score: accuracy, batch: 32, steps: 120 });
    },
    { acceptable: ['constant-input'] },
  ),

  faulty(
    'clipping-always-active',
    'norms clipped to 0.001',
    null,
    'loss 2.37 → 2.35, score 0.06; mended loss 2.06 → 0.178, score 0.85',
    (mended) => {
      const model = mlp([784, 64, 10]);
      const optimizer = new optim.SGD(model.parameters(), { lr: 0.1 });
      const clip = mended ? 5 : 0.001;
      return supervised({
        model,
        optimizer,
        loss: F.crossEntropy,
        data: digits(1500),
        score: accuracy,
        update: clipped(model, optimizer, F.crossEntropy, clip),
      });
    },
  ),
  faulty(
    'clipping-always-active',
    'a GRU whose norms are clipped to 0.01',
    null,
    'loss 0.509 → 0.175, score 0.70; mended loss 0.405 → 0.00598, score 0.98',
    (mended) => {
      const model = new Reader('GRU', 1, 16, 1);
      const optimizer = new optim.SGD(model.parameters(), { lr: 0.1, momentum: 0.9 });
      const update = clipped(model, optimizer, F.mseLoss, mended ? 2 : 0.01);
      return supervised({
        model,
        optimizer,
        loss: F.mseLoss,
        data: waves(600, 20),
        score: r2,
        batch: 32,
        update,
        compiled: true,
      });
    },
  ),
  faulty(
    'clipping-always-active',
    'elements clipped to 0.0001',
    null,
    'loss 1.08 → 1.05, score -0.03; mended loss 0.883 → 0.0602, score 0.93',
    (mended) => {
      const model = mlp([6, 64, 64, 1]);
      const optimizer = new optim.SGD(model.parameters(), { lr: 0.05 });
      return supervised({
        model,
        optimizer,
        loss: F.mseLoss,
        data: diamonds(),
        score: r2,
        compiled: true,
        update: (x, y) => {
          optimizer.zeroGrad();
          const output = model.forward(x);
          const loss = F.mseLoss(output, y);
          loss.backward();
          optim.clipGradValue(model.parameters(), mended ? 5 : 1e-4);
          optimizer.step();
          return [loss.detach(), output.detach()];
        },
      });
    },
  ),
];

/** A step whose gradients are clipped by their norm. */
function clipped(
  model: nn.Module & { forward(x: Tensor): Tensor },
  optimizer: optim.Optimizer<object>,
  loss: (output: Tensor, target: Tensor) => Tensor,
  norm: number,
): (x: Tensor, y: Tensor) => readonly [Tensor, Tensor] {
  return (x, y) => {
    optimizer.zeroGrad();
    const output = model.forward(x);
    const value = loss(output, y);
    value.backward();
    optim.clipGradNorm(model.parameters(), norm);
    optimizer.step();
    return [value.detach(), output.detach()];
  };
}
