// Faults of capacity: models that learn by heart, and such as cannot learn.
import { functional as F, nn, optim } from 'retrograd';
import type { Program } from '../program.ts';
import { diamonds, digits, majority, rows, spirals, surface } from './data.ts';
import { accuracy, r2, supervised } from './loop.ts';
import { faulty, mlp, TokenReader } from './models.ts';

export const FITS: readonly Program[] = [
  faulty(
    'overfitting',
    'sixty digits and a large network',
    null,
    'loss 1.93 → 3.8e-5, score 0.60; mended loss 2.11 → 0.237, score 0.86',
    (mended) => {
      const model = mlp([784, 256, 128, 10]);
      const optimizer = new optim.Adam(model.parameters(), { lr: 0.002 });
      const all = digits(3000);
      const data = mended ? all : { ...all, train: rows(all.train, 0, 60) };
      return supervised({
        model,
        optimizer,
        loss: F.crossEntropy,
        data,
        score: accuracy,
        batch: 30,
        steps: 120,
        compiled: true,
      });
    },
  ),
  faulty(
    'overfitting',
    'thirty noisy points and a wide network',
    null,
    'loss 1.02 → 0.00123, score 0.27; mended loss 1.44 → 0.336, score 0.62',
    (mended) => {
      const model = mlp([2, 128, 128, 1], () => new nn.Tanh());
      const optimizer = new optim.Adam(model.parameters(), { lr: 0.01 });
      const all = surface(2000, 0.5);
      const data = mended ? all : { ...all, train: rows(all.train, 0, 30) };
      return supervised({ model, optimizer, loss: new nn.MSELoss(), data, score: r2, batch: 30, steps: 200 });
    },
  ),
  faulty(
    'overfitting',
    'forty sequences learnt by heart',
    null,
    'loss 0.609 → 4.6e-5, score 0.63; mended loss 0.714 → 0.0584, score 0.98',
    (mended) => {
      const model = new TokenReader('LSTM', 8, 16, 32, 2);
      const optimizer = new optim.Adam(model.parameters(), { lr: 0.02 });
      const all = majority(3000, 15, 8);
      const data = mended ? all : { ...all, train: rows(all.train, 0, 40) };
      return supervised({
        model,
        optimizer,
        loss: F.crossEntropy,
        data,
        score: accuracy,
        batch: 20,
        steps: 120,
        compiled: true,
      });
    },
  ),

  faulty(
    'underfitting',
    'a linear model for spirals',
    null,
    'loss 0.643 → 0.612, score 0.65; mended loss 0.645 → 0.00678, score 1.00',
    (mended) => {
      const model = mended ? mlp([2, 64, 64, 2]) : mlp([2, 2]);
      const optimizer = new optim.Adam(model.parameters(), { lr: 0.02 });
      return supervised({ model, optimizer, loss: F.crossEntropy, data: spirals(1500), score: accuracy, steps: 200 });
    },
    { acceptable: ['loss-does-not-move'] },
  ),
  faulty(
    'underfitting',
    'two hidden units for ten digits',
    null,
    'loss 2.33 → 1.64, score 0.33; mended loss 1.84 → 0.0645, score 0.85',
    (mended) => {
      const model = mlp([784, mended ? 64 : 2, 10]);
      const optimizer = new optim.Adam(model.parameters(), { lr: 0.005 });
      return supervised({
        model,
        optimizer,
        loss: new nn.CrossEntropyLoss(),
        data: digits(2000),
        score: accuracy,
        steps: 200,
      });
    },
  ),
  faulty(
    'underfitting',
    'a weight decay of 1',
    null,
    'loss 0.83 → 0.205, score 0.79; mended loss 0.755 → 0.0575, score 0.93',
    (mended) => {
      const model = mlp([6, 64, 64, 1]);
      const optimizer = new optim.SGD(model.parameters(), {
        lr: 0.05,
        momentum: 0.9,
        weightDecay: mended ? 1e-4 : 0.5,
      });
      return supervised({ model, optimizer, loss: F.mseLoss, data: diamonds(), score: r2, compiled: true });
    },
  ),
];
