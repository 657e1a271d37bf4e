// Faults of the data: scales, constants, labels that belong to other rows, rare classes, rows on both sides of a split.
import { cat, functional as F, nn, optim, sort, type Tensor, tensor, zerosLike } from 'retrograd';
import type { Measured, Program } from '../program.ts';
import {
  cars,
  clouds,
  diamonds,
  digitBytes,
  digits,
  inputs,
  majority,
  penguins,
  permuted,
  pick,
  rawCars,
  rawDiamonds,
  rawPenguins,
  rows,
  type Split,
  splitOf,
  standardised,
  surface,
  type Table,
  targets,
} from './data.ts';
import { accuracy, balancedAccuracy, judged, type Net, r2, type Score, supervised } from './loop.ts';
import { cnn, faulty, mlp, TokenReader } from './models.ts';

const both = ({ train, validation }: Split): Table => ({
  x: cat([train.x, validation.x], 0),
  y: cat([train.y, validation.y], 0),
});

/** Each row is there twice before they are mixed and split. */
function leaked(): Split {
  const { train, test } = digits(400);
  const some = rows(train, 0, 250);
  const twice = { x: cat([some.x, some.x], 0), y: cat([some.y, some.y], 0) };
  const order = tensor(Int32Array.from({ length: 500 }, (_, i) => (i * 37) % 500));
  return { ...splitOf(pick(twice, order)), test };
}
/** Most rows to watch are among those to learn from. */
function overlapping(split: Split): Split {
  const all = both(split);
  return { train: rows(all, 0, 100), validation: rows(all, 70, 110), test: split.test };
}
/** Sixty sequences to learn from, and many to test by. */
const few = (): Split => {
  const all = majority(600, 15, 8);
  return { ...all, train: rows(all.train, 0, 60) };
};
const onItself = (split: Split): Split => ({ ...split, validation: split.train });

/** What the program itself would say: far better than it is. */
const flatters =
  (score: Score, data: () => Split) =>
  (run: Measured): boolean => {
    const model = run.run.model as Net;
    return judged(model, () => score(model, data().validation)) > run.score + 0.05;
  };

export const INPUTS: readonly Program[] = [
  faulty(
    'data-not-normalised',
    'digits as bytes',
    null,
    'loss 1.3e+5 → 2.28, score 0.11; mended loss 2.2 → 0.28, score 0.83',
    (mended) => {
      const model = mlp([784, 64, 10]);
      const optimizer = new optim.SGD(model.parameters(), { lr: 0.05 });
      return supervised({
        model,
        optimizer,
        loss: F.crossEntropy,
        data: mended ? digits(1500) : digitBytes(1500),
        score: accuracy,
      });
    },
    { acceptable: ['dead-relu', 'learning-rate-too-high'] },
  ),
  faulty(
    'data-not-normalised',
    'penguins in millimetres and grams',
    null,
    'loss 291 → 7.83, score 0.39; mended loss 1.26 → 0.0411, score 1.00',
    (mended) => {
      const model = mlp([4, 32, 3]);
      const optimizer = new optim.Adam(model.parameters(), { lr: 0.005 });
      return supervised({
        model,
        optimizer,
        loss: new nn.CrossEntropyLoss(),
        data: mended ? penguins() : rawPenguins(),
        score: accuracy,
        batch: 16,
        compiled: true,
      });
    },
  ),
  faulty(
    'data-not-normalised',
    'cars in pounds and horsepower',
    null,
    'loss 1.04 → 0.975, score -0.02; mended loss 0.445 → 0.119, score 0.88',
    (mended) => {
      const model = mlp([6, 32, 1], () => new nn.Tanh());
      const optimizer = new optim.Adam(model.parameters(), { lr: 0.01 });
      const data = mended ? cars() : targets(rawCars(), (y) => y.sub(23.4).div(7.8));
      return supervised({ model, optimizer, loss: F.mseLoss, data, score: r2, batch: 32 });
    },
    { acceptable: ['saturated-activation'] },
  ),
  faulty(
    'data-not-normalised',
    'prices in dollars',
    null,
    'loss 3.1e+7 → 3.1e+7, score -0.95; mended loss 0.702 → 0.112, score 0.88',
    (mended) => {
      const model = mlp([6, 64, 1]);
      const optimizer = new optim.Adam(model.parameters(), { lr: 0.003 });
      const dollars = standardised(rawDiamonds());
      const data = mended ? targets(dollars, (y) => y.div(4000).sub(1)) : dollars;
      return supervised({ model, optimizer, loss: new nn.MSELoss(), data, score: r2, compiled: true, steps: 200 });
    },
    { acceptable: ['learning-rate-too-low', 'underfitting'] },
  ),

  faulty(
    'constant-input',
    'all images are the first one',
    null,
    'loss 2.32 → 2.3, score 0.12; mended loss 2.24 → 0.279, score 0.83',
    (mended) => {
      const model = cnn();
      const optimizer = new optim.Adam(model.parameters(), { lr: 0.003 });
      const all = digits(1000);
      const data = mended
        ? all
        : inputs(all, (x) =>
            x
              .narrow(0, 0, 1)
              .expand([x.shape[0] as number, 1, 28, 28])
              .clone(),
          );
      return supervised({
        model,
        optimizer,
        loss: F.crossEntropy,
        data,
        score: accuracy,
        batch: 32,
        steps: 100,
        compiled: true,
      });
    },
    { acceptable: ['loss-does-not-move'] },
  ),
  faulty(
    'constant-input',
    'columns that were filled with 0, since their names were wrong',
    null,
    'loss 1.01 → 0.978, score 0.02; mended loss 0.858 → 0.0609, score 0.92',
    (mended) => {
      const model = mlp([6, 32, 1]);
      const optimizer = new optim.Adam(model.parameters(), { lr: 0.005 });
      const keep = [0, 1, 1, 0, 0, 0];
      const data = mended
        ? diamonds()
        : inputs(diamonds(), (x) =>
            cat(
              keep.map((k, i) => x.narrow(1, i, 1).mul(k)),
              1,
            ),
          );
      return supervised({ model, optimizer, loss: F.mseLoss, data, score: r2 });
    },
    { acceptable: [] },
  ),
  faulty(
    'constant-input',
    'tokens that are all unknown',
    null,
    'loss 0.706 → 0.693, score 0.47; mended loss 0.675 → 0.00246, score 1.00',
    (mended) => {
      const model = new TokenReader('GRU', 8, 8, 16, 2);
      const optimizer = new optim.Adam(model.parameters(), { lr: 0.01 });
      const data = mended ? majority(1500, 9, 8) : inputs(majority(1500, 9, 8), zerosLike);
      return supervised({ model, optimizer, loss: F.crossEntropy, data, score: accuracy, compiled: true });
    },
    { acceptable: ['loss-does-not-move'] },
  ),

  faulty(
    'labels-shuffled',
    'images shuffled, and not their labels',
    null,
    'loss 2.33 → 2.14, score 0.07; mended loss 2.16 → 0.251, score 0.85',
    (mended) => {
      const model = mlp([784, 64, 10]);
      const optimizer = new optim.Adam(model.parameters(), { lr: 0.001 });
      const all = digits(2000);
      const data = mended ? all : { ...all, train: { x: permuted(all.train.x), y: all.train.y } };
      return supervised({ model, optimizer, loss: F.crossEntropy, data, score: accuracy });
    },
  ),
  faulty(
    'labels-shuffled',
    'prices that were sorted without their diamonds',
    null,
    'loss 0.958 → 1.01, score -0.01; mended loss 0.858 → 0.0609, score 0.92',
    (mended) => {
      const model = mlp([6, 32, 1]);
      const optimizer = new optim.Adam(model.parameters(), { lr: 0.005 });
      const all = diamonds();
      const data = mended ? all : targets(all, (y) => sort(y, 0).values);
      return supervised({ model, optimizer, loss: new nn.MSELoss(), data, score: r2, compiled: true });
    },
    { acceptable: ['loss-does-not-move'] },
  ),
  faulty(
    'labels-shuffled',
    'penguins joined to their species by the wrong index',
    null,
    'loss 1.07 → 0.986, score 0.36; mended loss 1.04 → 0.00651, score 0.97',
    (mended) => {
      const model = mlp([4, 32, 3]);
      const optimizer = new optim.SGD(model.parameters(), { lr: 0.1, momentum: 0.9 });
      const data = mended ? penguins() : targets(penguins(), permuted);
      return supervised({ model, optimizer, loss: new nn.CrossEntropyLoss(), data, score: accuracy, batch: 16 });
    },
    { acceptable: ['loss-does-not-move'] },
  ),

  faulty(
    'labels-imbalanced',
    'two in a hundred are of class 1',
    null,
    'loss 0.51 → 0.0486, score 0.55; mended loss 1.1 → 0.381, score 0.90',
    (mended) => {
      const model = mlp([8, 32, 1]);
      const optimizer = new optim.Adam(model.parameters(), { lr: 0.003 });
      const loss = mended ? new nn.BCEWithLogitsLoss({ posWeight: tensor([40]) }) : new nn.BCEWithLogitsLoss();
      return supervised({ model, optimizer, loss, data: clouds(4000, 8, 0.02, 0.45), score: balancedAccuracy() });
    },
  ),
  faulty(
    'labels-imbalanced',
    'nineteen digits of twenty are ones',
    null,
    'loss 1.99 → 0.232, score 0.12; mended loss 2.3 → 0.641, score 0.78',
    (mended) => {
      const model = cnn();
      const optimizer = new optim.SGD(model.parameters(), { lr: 0.02 });
      const all = digits(3000);
      const data = mended ? all : { ...all, train: unbalanced(all.train) };
      return supervised({
        model,
        optimizer,
        loss: F.crossEntropy,
        data,
        score: accuracy,
        batch: 32,
        steps: 100,
        compiled: true,
      });
    },
  ),
  faulty(
    'labels-imbalanced',
    'fraud in one row of thirty, by a sigmoid',
    null,
    'loss 0.809 → 0.105, score 0.50; mended loss 0.706 → 0.29, score 0.77',
    (mended) => {
      const model = new nn.Sequential(new nn.Linear(6, 24), new nn.ReLU(), new nn.Linear(24, 1), new nn.Sigmoid());
      const optimizer = new optim.Adam(model.parameters(), { lr: 0.003 });
      const all = clouds(6000, 6, 0.033, 0.4);
      const data = mended ? { ...all, train: balanced(all.train) } : all;
      return supervised({ model, optimizer, loss: F.binaryCrossEntropy, data, score: balancedAccuracy(0.5) });
    },
  ),

  faulty(
    'data-leakage',
    'rows copied before the split',
    null,
    'loss 1.81 → 0.00294, score 0.77; mended loss 1.8 → 0.00545, score 0.80',
    (mended) => {
      const model = mlp([784, 128, 10]);
      const optimizer = new optim.Adam(model.parameters(), { lr: 0.002 });
      const all = digits(400);
      const data = mended ? all : leaked();
      return supervised({ model, optimizer, loss: F.crossEntropy, data, score: accuracy, batch: 50, compiled: true });
    },
    { acceptable: ['overfitting'], shows: flatters(accuracy, () => leaked()) },
  ),
  faulty(
    'data-leakage',
    'slices that overlap',
    null,
    'loss 1.53 → 0.155, score 0.50; mended loss 1.48 → 0.164, score 0.26',
    (mended) => {
      const model = mlp([2, 128, 128, 1], () => new nn.Tanh());
      const optimizer = new optim.Adam(model.parameters(), { lr: 0.01 });
      const all = surface(150, 0.5);
      const data = mended ? all : overlapping(all);
      return supervised({ model, optimizer, loss: F.mseLoss, data, score: r2, batch: 30, steps: 200 });
    },
    { acceptable: ['overfitting'], shows: flatters(r2, () => overlapping(surface(150, 0.5))) },
  ),
  faulty(
    'data-leakage',
    'validation is done on the training rows',
    null,
    'loss 0.623 → 1.4e-4, score 0.72; mended loss 0.623 → 1.4e-4, score 0.72',
    (mended) => {
      const model = new TokenReader('LSTM', 8, 16, 32, 2);
      const optimizer = new optim.Adam(model.parameters(), { lr: 0.02 });
      const all = few();
      return supervised({
        model,
        optimizer,
        loss: F.crossEntropy,
        data: mended ? all : onItself(all),
        score: accuracy,
        batch: 30,
        steps: 120,
        compiled: true,
      });
    },
    { acceptable: ['overfitting'], shows: flatters(accuracy, () => onItself(few())) },
  ),
];

/** Nearly all of one class. */
function unbalanced(all: Table): Table {
  const labels = all.y.toArray() as number[];
  let others = 0;
  const ones = labels.flatMap((label, i) => (label === 1 ? [i] : []));
  const rare = labels.flatMap((label, i) => (label !== 1 && others++ < ones.length / 19 ? [i] : []));
  return pick(all, indexOf([...ones, ...rare]));
}
/** Rows of class 1 again and again. */
function balanced(all: Table): Table {
  const labels = (all.y.toArray() as number[][]).map(([label]) => label);
  const index = labels.flatMap((label, i) => (label === 1 ? Array<number>(29).fill(i) : [i]));
  return pick(all, indexOf(index));
}
const indexOf = (index: readonly number[]): Tensor => tensor(Int32Array.from(index));
