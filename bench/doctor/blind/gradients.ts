// Faults of signals on their way: gradients that vanish or explode, units that are dead or saturated, weights that are
// all equal.
import { functional as F, nn, noGrad, optim } from 'retrograd';
import type { Program } from '../program.ts';
import { cars, diamonds, digitBytes, digits, firstToken, surface, targets, unitDigits, waves } from './data.ts';
import { accuracy, r2, supervised } from './loop.ts';
import { cnn, extended, faulty, mlp, Reader, TokenReader, weightsOf } from './models.ts';

/** `0`, `1`, … */
const upTo = (from: number, to: number): string[] => Array.from({ length: to - from + 1 }, (_, i) => String(from + i));
const repeated = (n: number, width: number): number[] => Array(n).fill(width);

export const GRADIENTS: readonly Program[] = [
  faulty(
    'vanishing-gradients',
    'twelve sigmoids',
    upTo(1, 23),
    'loss 2.34 → 2.31, score 0.11; mended loss 2.32 → 0.474, score 0.77',
    (mended) => {
      const model = mlp([784, ...repeated(12, 48), 10], () => (mended ? new nn.ReLU() : new nn.Sigmoid()));
      if (mended) for (const w of weightsOf(model)) nn.init.kaimingNormal_(w);
      const optimizer = new optim.SGD(model.parameters(), { lr: 0.02, momentum: 0.9 });
      return supervised({ model, optimizer, loss: F.crossEntropy, data: digits(1500), score: accuracy });
    },
    { acceptable: ['loss-does-not-move'] },
  ),
  faulty(
    'vanishing-gradients',
    'a plain RNN over 120 tokens, whose first one counts',
    ['reader.rnn', 'reader', 'embed'],
    'loss 1.36 → 1.35, score 0.19; mended loss 1.37 → 0.0506, score 1.00',
    (mended) => {
      const model = new TokenReader(mended ? 'GRU' : 'RNN', 4, 8, 24, 4);
      const optimizer = new optim.Adam(model.parameters(), { lr: 0.005 });
      const data = firstToken(500, mended ? 8 : 120, 4);
      return supervised({
        model,
        optimizer,
        loss: new nn.CrossEntropyLoss(),
        data,
        score: accuracy,
        batch: 16,
        steps: mended ? 150 : 40,
        compiled: true,
      });
    },
    { acceptable: ['loss-does-not-move'] },
  ),
  faulty(
    'vanishing-gradients',
    'sixteen tanh layers of tiny weights',
    upTo(1, 31),
    'loss 1.04 → 1.01, score -0.02; mended loss 1.09 → 0.158, score 0.85',
    (mended) => {
      const model = mlp([6, ...repeated(16, 24), 1], () => new nn.Tanh());
      for (const w of weightsOf(model)) {
        if (mended) nn.init.xavierNormal_(w, 5 / 3);
        else nn.init.normal_(w, 0, 0.02);
      }
      const optimizer = new optim.SGD(model.parameters(), { lr: 0.02, momentum: 0.9 });
      return supervised({ model, optimizer, loss: new nn.MSELoss(), data: diamonds(), score: r2, compiled: true });
    },
    { acceptable: ['loss-does-not-move'] },
  ),

  faulty(
    'exploding-gradients',
    'ten layers of standard normal weights',
    upTo(1, 19),
    'loss NaN → NaN, score 0.09; mended loss 2.39 → 0.884, score 0.59',
    (mended) => {
      const model = mlp([784, ...repeated(9, 64), 10]);
      for (const w of weightsOf(model)) {
        if (mended) nn.init.kaimingNormal_(w);
        else nn.init.normal_(w);
      }
      const optimizer = new optim.SGD(model.parameters(), { lr: 0.01 });
      return supervised({ model, optimizer, loss: F.crossEntropy, data: unitDigits(1000), score: accuracy });
    },
    { acceptable: ['nan-or-inf'] },
  ),
  faulty(
    'exploding-gradients',
    'a ReLU RNN of large recurrent weights',
    ['rnn'],
    'loss NaN → NaN, score NaN; mended loss 1.93 → 0.531, score 0.04',
    (mended) => {
      const model = new Reader('RNN', 1, 32, 1, { nonlinearity: 'relu' });
      const { weightHhL0 } = model.rnn as nn.RNN;
      if (mended) nn.init.eye_(weightHhL0 as nn.Parameter);
      else nn.init.normal_(weightHhL0 as nn.Parameter, 0, 0.35);
      const optimizer = new optim.SGD(model.parameters(), { lr: 0.01 });
      return supervised({
        model,
        optimizer,
        loss: new nn.MSELoss(),
        data: waves(600, 50),
        score: r2,
        batch: 32,
        steps: 100,
        update: (x, y) => {
          optimizer.zeroGrad();
          const output = model.forward(x);
          const loss = F.mseLoss(output, y);
          loss.backward();
          if (mended) optim.clipGradNorm(model.parameters(), 1);
          optimizer.step();
          return [loss, output];
        },
      });
    },
    { acceptable: ['nan-or-inf'] },
  ),

  faulty(
    'dead-relu',
    'biases of -4',
    ['2', '4', '1', '3'],
    'loss 2.3 → 2.3, score 0.12; mended loss 2.3 → 1.07, score 0.68',
    (mended) => {
      const model = mlp([784, 64, 64, 10]);
      if (!mended) for (const i of [1, 3]) nn.init.constant_((model[i] as nn.Linear).bias as nn.Parameter, -4);
      const optimizer = new optim.SGD(model.parameters(), { lr: 0.05 });
      return supervised({
        model,
        optimizer,
        loss: F.crossEntropy,
        data: unitDigits(1000),
        score: accuracy,
        compiled: true,
      });
    },
    { acceptable: ['loss-does-not-move'] },
  ),
  faulty(
    'dead-relu',
    'a first step of Adam that is far too long',
    ['2', '4', '1', '3'],
    'loss 3.7e+5 → 7770, score -5.8e+3; mended loss 0.607 → 0.0937, score 0.88',
    (mended) => {
      const model = mlp([6, 48, 48, 1]);
      const optimizer = new optim.Adam(model.parameters(), { lr: mended ? 0.01 : 0.8 });
      const before = (i: number): void => {
        if (i === 3) for (const group of optimizer.paramGroups) group.lr = 0.003;
      };
      return supervised({ model, optimizer, loss: F.mseLoss, data: cars(), score: r2, batch: 32, before });
    },
    { acceptable: ['learning-rate-too-high'] },
  ),
  faulty(
    'dead-relu',
    'a ReLU behind the output, where targets are negative',
    ['4', '3'],
    'loss 16.1 → 16.2, score -26.90; mended loss 13.1 → 0.47, score 0.30',
    (mended) => {
      const model = mended ? mlp([2, 32, 1]) : extended(mlp([2, 32, 1]), new nn.ReLU());
      const optimizer = new optim.Adam(model.parameters(), { lr: 0.01 });
      const data = targets(surface(1500, 0.05), (y) => y.sub(4));
      return supervised({ model, optimizer, loss: new nn.MSELoss(), data, score: r2 });
    },
    { acceptable: ['loss-does-not-fit-output', 'loss-does-not-move', 'parameters-without-gradient'] },
  ),

  faulty(
    'saturated-activation',
    'bytes of pixels into tanh',
    ['2', '1'],
    'loss 2.32 → 1.76, score 0.34; mended loss 1.93 → 0.193, score 0.83',
    (mended) => {
      const model = mlp([784, 64, 10], () => new nn.Tanh());
      const optimizer = new optim.SGD(model.parameters(), { lr: 0.1 });
      const data = mended ? digits(1000) : digitBytes(1000);
      return supervised({ model, optimizer, loss: F.crossEntropy, data, score: accuracy });
    },
    { acceptable: ['data-not-normalised'] },
  ),
  faulty(
    'saturated-activation',
    'sigmoids of standard normal weights',
    ['2', '4', '1', '3'],
    'loss 5.05 → 0.525, score 0.60; mended loss 2.31 → 0.572, score 0.80',
    (mended) => {
      const model = mlp([784, 64, 64, 10], () => new nn.Sigmoid());
      for (const w of weightsOf(model)) nn.init.normal_(w, 0, mended ? 0.1 : 1);
      const optimizer = new optim.SGD(model.parameters(), { lr: 0.05, momentum: 0.9 });
      return supervised({ model, optimizer, loss: F.crossEntropy, data: digits(1500), score: accuracy });
    },
  ),
  faulty(
    'saturated-activation',
    'tanh at the output, and targets of 9 to 47',
    ['4', '3'],
    'loss 573 → 548, score -7.11; mended loss 554 → 7.15, score 0.89',
    (mended) => {
      const net = mlp([6, 32, 1]);
      const model = mended ? net : extended(net, new nn.Tanh());
      const optimizer = new optim.Adam(model.parameters(), { lr: 0.03 });
      const data = targets(cars(), (y) => y.mul(7.8).add(23.4));
      return supervised({ model, optimizer, loss: F.mseLoss, data, score: r2, batch: 32, steps: 200 });
    },
    { acceptable: ['loss-does-not-fit-output'] },
  ),

  faulty(
    'constant-initialisation',
    'all weights of a network are 0.1',
    ['1', '3', '5'],
    'loss 25.2 → 2.3, score 0.12; mended loss 2.28 → 0.377, score 0.77',
    (mended) => {
      const model = mlp([784, 32, 32, 10]);
      if (!mended) for (const w of weightsOf(model)) nn.init.constant_(w, 0.1);
      const optimizer = new optim.SGD(model.parameters(), { lr: 0.05 });
      return supervised({ model, optimizer, loss: F.crossEntropy, data: digits(1000), score: accuracy });
    },
  ),
  faulty(
    'constant-initialisation',
    'all parameters start at 0',
    ['1', '3'],
    'loss 0.646 → 0.634, score -0.01; mended loss 0.643 → 0.042, score 0.95',
    (mended) => {
      const model = mlp([2, 16, 1], () => new nn.Tanh());
      if (!mended)
        noGrad(() => {
          for (const p of model.parameters()) p.zero_();
        });
      const optimizer = new optim.Adam(model.parameters(), { lr: 0.02 });
      return supervised({
        model,
        optimizer,
        loss: new nn.MSELoss(),
        data: surface(1000, 0.05),
        score: r2,
        compiled: true,
      });
    },
    { acceptable: ['loss-does-not-move'] },
  ),
  faulty(
    'constant-initialisation',
    'filters of a CNN that are all equal',
    ['0', '2'],
    'loss 2.02 → 0.661, score 0.79; mended loss 2.27 → 0.263, score 0.84; its first filters end equal',
    (mended) => {
      const model = cnn();
      if (!mended)
        for (const i of [0, 2]) {
          const { weight, bias } = model[i] as nn.Conv2d;
          nn.init.constant_(weight, 0.05);
          nn.init.zeros_(bias as nn.Parameter);
        }
      const optimizer = new optim.SGD(model.parameters(), { lr: 0.05, momentum: 0.9 });
      return supervised({
        model,
        optimizer,
        loss: F.crossEntropy,
        data: digits(1000),
        score: accuracy,
        batch: 32,
        steps: 100,
      });
    },
    { shows: ({ run }) => (run.model.parameters()[0]?.std(0).max().item() as number) < 1e-6 },
  ),
];
