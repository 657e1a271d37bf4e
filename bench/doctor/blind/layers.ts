// Faults of single layers: norms of small batches, dropout in the wrong place, norms that decay.
import { functional as F, nn, optim } from 'retrograd';
import type { Measured, Program } from '../program.ts';
import { cars, diamonds, digits, firstToken, penguins } from './data.ts';
import { accuracy, r2, supervised } from './loop.ts';
import { cnn, extended, faulty, mlp, TokenTransformer } from './models.ts';

const norms = (channels: number): nn.Layer[] => [new nn.BatchNorm2d(channels)];
/** Whether an optimizer draws vectors, and so the norms' factors, to 0. */
const decays = ({ run }: Measured): boolean =>
  run.optimizer.paramGroups.some(
    (group) => 'weightDecay' in group && group.weightDecay !== 0 && group.params.some((p) => p.ndim === 1),
  );
const decaysVectors = (run: Measured, mended: Measured): boolean => decays(run) && !decays(mended);

export const LAYERS: readonly Program[] = [
  faulty(
    'batch-too-small-for-batch-norm',
    'two images a step',
    ['1', '4'],
    'loss 3.44 → 1.69, score 0.46; mended loss 2.11 → 0.184, score 0.86',
    (mended) => {
      const model = cnn(norms);
      const optimizer = new optim.SGD(model.parameters(), { lr: 0.02, momentum: 0.9 });
      return supervised({
        model,
        optimizer,
        loss: F.crossEntropy,
        data: digits(1000),
        score: accuracy,
        batch: mended ? 32 : 2,
        steps: 100,
      });
    },
    { acceptable: ['loss-oscillates'] },
  ),
  faulty(
    'batch-too-small-for-batch-norm',
    'two rows of a table a step',
    ['1', '4'],
    'loss 1.31 → 1.17, score 0.78; mended loss 0.671 → 0.0744, score 0.92',
    (mended) => {
      const model = new nn.Sequential(
        ...[new nn.Linear(6, 32), new nn.BatchNorm1d(32), new nn.ReLU()],
        ...[new nn.Linear(32, 32), new nn.BatchNorm1d(32), new nn.ReLU(), new nn.Linear(32, 1)],
      );
      const optimizer = new optim.Adam(model.parameters(), { lr: 0.005 });
      return supervised({
        model,
        optimizer,
        loss: F.mseLoss,
        data: diamonds(),
        score: r2,
        batch: mended ? 64 : 2,
        compiled: true,
      });
    },
    { acceptable: ['loss-oscillates'] },
  ),
  faulty(
    'dropout-misplaced',
    'dropout of the outputs',
    '4',
    'loss 2.15 → 1.1, score 0.84; mended loss 2.06 → 0.178, score 0.85',
    (mended) => {
      const model = extended(mlp([784, 64, 10]), ...(mended ? [] : [new nn.Dropout(0.5)]));
      const optimizer = new optim.SGD(model.parameters(), { lr: 0.1 });
      return supervised({ model, optimizer, loss: F.crossEntropy, data: digits(1500), score: accuracy });
    },
    { shows: (run, mended) => run.last > mended.last + 0.3 },
  ),
  faulty(
    'dropout-misplaced',
    'dropout of a prediction',
    '4',
    'loss 0.82 → 0.379, score 0.72; mended loss 0.668 → 0.0944, score 0.88',
    (mended) => {
      const model = extended(mlp([6, 48, 1]), ...(mended ? [] : [new nn.Dropout(0.4)]));
      const optimizer = new optim.Adam(model.parameters(), { lr: 0.01 });
      return supervised({
        model,
        optimizer,
        loss: new nn.MSELoss(),
        data: cars(),
        score: r2,
        batch: 32,
        compiled: true,
      });
    },
    { shows: (run, mended) => run.last > 2 * mended.last },
  ),
  faulty(
    'dropout-misplaced',
    'dropout of four measures before anything sees them',
    '0',
    'loss 1.2 → 0.468, score 0.90; mended loss 1.17 → 0.0193, score 0.99',
    (mended) => {
      const net = [new nn.Linear(4, 32), new nn.ReLU(), new nn.Linear(32, 3)];
      const model = new nn.Sequential(...(mended ? [] : [new nn.Dropout(0.6)]), ...net);
      const optimizer = new optim.Adam(model.parameters(), { lr: 0.01 });
      return supervised({ model, optimizer, loss: F.crossEntropy, data: penguins(), score: accuracy, batch: 16 });
    },
    { acceptable: ['underfitting'], shows: (run, mended) => run.last > mended.last + 0.2 },
  ),

  faulty(
    'weight-decay-on-norms',
    'AdamW at 0.1 for all of a transformer',
    ['norm', 'blocks.0.norm1', 'blocks.0.norm2'],
    'loss 1.87 → 0.0406, score 1.00; mended loss 1.87 → 0.0365, score 1.00; norms are in a group with weight decay',
    (mended) => {
      const model = new TokenTransformer(6, 12, 6);
      const all = model.parameters();
      const groups = [
        { params: all.filter((p) => p.ndim > 1) },
        { params: all.filter((p) => p.ndim < 2), weightDecay: 0 },
      ];
      const optimizer = new optim.AdamW(mended ? groups : all, { lr: 0.003, weightDecay: 0.1 });
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
    { shows: decaysVectors },
  ),
  faulty(
    'weight-decay-on-norms',
    'SGD at 0.0005 for all of a CNN',
    ['1', '4'],
    'loss 1.97 → 0.171, score 0.84; mended loss 1.97 → 0.165, score 0.84; norms are in a group with weight decay',
    (mended) => {
      const model = cnn(norms);
      const all = model.parameters();
      const groups = [
        { params: all.filter((p) => p.ndim > 1) },
        { params: all.filter((p) => p.ndim < 2), weightDecay: 0 },
      ];
      const optimizer = new optim.SGD(mended ? groups : all, { lr: 0.05, momentum: 0.9, weightDecay: 5e-4 });
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
    { shows: decaysVectors },
  ),
];
