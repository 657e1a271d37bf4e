// Faults of what is forgotten in the loop.
import { functional as F, nn, noGrad, optim, type Tensor } from 'retrograd';
import type { Criterion, Measured, Program } from '../program.ts';
import { cars, diamonds, digits, firstToken, type Split, waves } from './data.ts';
import { accuracy, lossOf, type Net, r2, type Score, supervised } from './loop.ts';
import { cnn, faulty, mlp, Reader, TokenTransformer } from './models.ts';

type Update = (x: Tensor, y: Tensor, i: number) => readonly [Tensor, Tensor];
const forgetful =
  (model: Net, optimizer: optim.Optimizer<object>, loss: Criterion, mended: boolean): Update =>
  (x, y) => {
    if (mended) optimizer.zeroGrad();
    const output = model.forward(x);
    const value = lossOf(loss, output, y);
    value.backward();
    optimizer.step();
    return [value.detach(), output.detach()];
  };
/** Every 15th turn starts with a look at held-out data. */
const looks =
  (model: Net, { validation }: Split, loss: Criterion, modes: { evaluates: boolean; trainsAgain: boolean }) =>
  (i: number): void => {
    if (i === 0 || i % 15 !== 0) return;
    if (modes.evaluates) model.eval();
    noGrad(() => lossOf(loss, model.forward(validation.x), validation.y).item());
    if (modes.trainsAgain) model.train();
  };
/** How much worse or better held-out data looks in training mode. */
const differsByMode =
  (score: Score, data: () => Split, least: number) =>
  ({ run, score: good }: Measured): boolean => {
    const model = run.model as Net;
    const asTrained = noGrad(() => score(model, data().test));
    return model.training && Math.abs(asTrained - good) > least;
  };
const stillEvaluates = ({ run }: Measured, mended: Measured): boolean =>
  !run.model.training && mended.run.model.training;
const dropping = (p: number): nn.Sequential =>
  new nn.Sequential(
    new nn.Flatten(),
    new nn.Linear(784, 128),
    new nn.ReLU(),
    new nn.Dropout(p),
    new nn.Linear(128, 10),
  );
const norms = (channels: number): nn.Layer[] => [new nn.BatchNorm2d(channels)];

/** How many batches the first norm has averaged. */
const seen = (model: nn.Module): number =>
  model
    .modules()
    .find((module): module is nn.BatchNorm2d => module instanceof nn.BatchNorm2d)
    ?.numBatchesTracked?.item() ?? 0;
export const HABITS: readonly Program[] = [
  faulty(
    'forgotten-zero-grad',
    'an MLP by SGD',
    null,
    'loss 1.91 → 2.93, score 0.28; mended loss 2.06 → 0.146, score 0.84',
    (mended) => {
      const model = mlp([784, 64, 10]);
      const optimizer = new optim.SGD(model.parameters(), { lr: 0.1 });
      return supervised({
        model,
        optimizer,
        loss: F.crossEntropy,
        data: digits(1500),
        score: accuracy,
        steps: 200,
        update: forgetful(model, optimizer, F.crossEntropy, mended),
      });
    },
    { shows: (run, mended) => run.last > 2 * mended.last || run.score < mended.score - 0.1 },
  ),
  faulty(
    'forgotten-zero-grad',
    'a compiled step of Adam',
    null,
    'loss 0.582 → 141, score -291.91; mended loss 0.472 → 0.106, score 0.88',
    (mended) => {
      const model = mlp([6, 32, 1]);
      const optimizer = new optim.Adam(model.parameters(), { lr: 0.02 });
      return supervised({
        model,
        optimizer,
        loss: F.mseLoss,
        data: cars(),
        score: r2,
        batch: 32,
        compiled: true,
        update: forgetful(model, optimizer, F.mseLoss, mended),
      });
    },
    { shows: (run, mended) => run.last > 1.5 * mended.last },
  ),
  faulty(
    'forgotten-zero-grad',
    'a GRU with momentum',
    null,
    'loss 0.46 → 3.6e+28, score -1.0e+30; mended loss 0.476 → 0.0178, score 0.96',
    (mended) => {
      const model = new Reader('GRU', 1, 16, 1);
      const optimizer = new optim.SGD(model.parameters(), { lr: 0.02, momentum: 0.9 });
      return supervised({
        model,
        optimizer,
        loss: F.mseLoss,
        data: waves(600, 20),
        score: r2,
        batch: 32,
        update: forgetful(model, optimizer, F.mseLoss, mended),
      });
    },
    { shows: (run, mended) => run.last > 1.5 * mended.last },
  ),

  faulty(
    'forgotten-train-mode',
    'batch norm after the first look at held-out data',
    null,
    'loss 2.09 → 0.219, score 0.83; mended loss 2.09 → 0.209, score 0.84; from step 15 on in evaluation mode',
    (mended) => {
      const model = cnn(norms);
      const optimizer = new optim.Adam(model.parameters(), { lr: 0.003 });
      const data = digits(1000);
      return supervised({
        model,
        optimizer,
        loss: F.crossEntropy,
        data,
        score: accuracy,
        batch: 32,
        steps: 100,
        before: looks(model, data, F.crossEntropy, { evaluates: true, trainsAgain: mended }),
      });
    },
    { shows: stillEvaluates },
  ),
  faulty(
    'forgotten-train-mode',
    'dropout after the first look at held-out data',
    null,
    'loss 1.99 → 0.0263, score 0.84; mended loss 1.99 → 0.128, score 0.84; from step 15 on in evaluation mode',
    (mended) => {
      const model = dropping(0.5);
      const optimizer = new optim.Adam(model.parameters(), { lr: 0.002 });
      const data = digits(800);
      return supervised({
        model,
        optimizer,
        loss: F.crossEntropy,
        data,
        score: accuracy,
        compiled: true,
        before: looks(model, data, F.crossEntropy, { evaluates: true, trainsAgain: mended }),
      });
    },
    { shows: stillEvaluates },
  ),
  faulty(
    'forgotten-train-mode',
    'a transformer that was loaded for use, and is trained on',
    null,
    'loss 1.87 → 0.128, score 1.00; mended loss 1.87 → 0.21, score 1.00; always in evaluation mode',
    (mended) => {
      const model = new TokenTransformer(6, 12, 6, { dropout: 0.2 });
      if (!mended) model.eval();
      const optimizer = new optim.Adam(model.parameters(), { lr: 0.002 });
      return supervised({
        model,
        optimizer,
        loss: F.crossEntropy,
        data: firstToken(1000, 12, 6),
        score: accuracy,
        batch: 32,
        compiled: true,
        lossOnly: true,
      });
    },
    { shows: stillEvaluates },
  ),

  faulty(
    'forgotten-eval-mode',
    'dropout while held-out data is looked at',
    null,
    'loss 2.06 → 0.428, score 0.84; mended loss 2.06 → 0.465, score 0.84; held-out accuracy differs by mode',
    (mended) => {
      const model = dropping(0.7);
      const optimizer = new optim.Adam(model.parameters(), { lr: 0.002 });
      const data = digits(1500);
      return supervised({
        model,
        optimizer,
        loss: F.crossEntropy,
        data,
        score: accuracy,
        before: looks(model, data, F.crossEntropy, { evaluates: mended, trainsAgain: true }),
      });
    },
    { shows: differsByMode(accuracy, () => digits(1500), 0.01) },
  ),
  faulty(
    'forgotten-eval-mode',
    'batch norm that learns from held-out data',
    null,
    'loss 2.02 → 0.29, score 0.86; mended loss 2.02 → 0.29, score 0.86; 106 batches averaged in 100 steps',
    (mended) => {
      const model = cnn(norms);
      const optimizer = new optim.SGD(model.parameters(), { lr: 0.05 });
      const data = digits(1000);
      return supervised({
        model,
        optimizer,
        loss: F.crossEntropy,
        data,
        score: accuracy,
        batch: 32,
        steps: 100,
        compiled: true,
        before: looks(model, data, F.crossEntropy, { evaluates: mended, trainsAgain: true }),
      });
    },
    { shows: ({ run }) => seen(run.model) > 100 },
  ),
  faulty(
    'forgotten-eval-mode',
    'a regression of diamonds with dropout',
    null,
    'loss 0.506 → 0.0784, score 0.93; mended loss 0.506 → 0.0813, score 0.93; held-out R² differs by mode',
    (mended) => {
      const model = new nn.Sequential(new nn.Linear(6, 64), new nn.ReLU(), new nn.Dropout(0.3), new nn.Linear(64, 1));
      const optimizer = new optim.Adam(model.parameters(), { lr: 0.01 });
      const data = diamonds();
      return supervised({
        model,
        optimizer,
        loss: new nn.MSELoss(),
        data,
        score: r2,
        before: looks(model, data, F.mseLoss, { evaluates: mended, trainsAgain: true }),
      });
    },
    { shows: differsByMode(r2, diamonds, 0.01) },
  ),
];
