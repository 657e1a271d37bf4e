// Faults of lengths of steps, and numbers that are none.
import { argsort, functional as F, nn, noGrad, type Tensor } from 'retrograd';
import type { Program } from '../program.ts';
import { bars, blobs, cnn, curve, type Loss, mlp, perToken, Recurrent, Transformer, text, waves } from './kit.ts';
import { adam, evident, list, program, sgd, simple } from './program.ts';

export const RATES: readonly Program[] = [
  program(
    'learning-rate-too-high',
    'Adam at 1',
    null,
    (mended) => {
      const model = mlp(16, 48, 4);
      return simple({ data: blobs(600, 16, 4, 1.5), model, optimizer: adam(model, mended ? 1e-2 : 3) });
    },
    { acceptable: ['dead-relu', 'loss-oscillates'] },
  ),
  program(
    'learning-rate-too-high',
    'SGD at 5 on a CNN',
    null,
    (mended) => {
      const model = cnn();
      return simple({ data: bars(), model, optimizer: sgd(model, mended ? 0.05 : 4, 0), steps: 100 });
    },
    { acceptable: ['dead-relu', 'loss-oscillates', 'nan-or-inf'] },
  ),
  program(
    'learning-rate-too-high',
    'a transformer at 0.3',
    null,
    (mended) => {
      const model = new Transformer();
      return simple({ data: text(), model, optimizer: adam(model, mended ? 5e-3 : 0.5), loss: perToken, steps: 100 });
    },
    { acceptable: ['loss-oscillates', 'dead-relu'] },
  ),
  program(
    'learning-rate-too-high',
    'regression that diverges',
    null,
    (mended) => {
      const model = mlp(6, 32, 1, () => new nn.ReLU(), 2);
      return simple({ data: curve(), model, optimizer: sgd(model, mended ? 0.05 : 3), loss: F.mseLoss });
    },
    { acceptable: ['nan-or-inf', 'dead-relu'] },
  ),
  program(
    'learning-rate-too-low',
    'SGD at 1e-5',
    null,
    (mended) => {
      const model = mlp(16, 48, 4);
      return simple({ data: blobs(), model, optimizer: sgd(model, mended ? 0.05 : 1e-5) });
    },
    { acceptable: ['loss-does-not-move', 'underfitting'] },
  ),
  program(
    'learning-rate-too-low',
    'Adam at 1e-6 on a CNN',
    null,
    (mended) => {
      const model = cnn();
      return simple({ data: bars(), model, optimizer: adam(model, mended ? 5e-3 : 1e-6), steps: 100 });
    },
    { acceptable: ['loss-does-not-move', 'underfitting'] },
  ),
  program(
    'learning-rate-too-low',
    'LSTM at 1e-5',
    null,
    (mended) => {
      const model = new Recurrent('lstm');
      return simple({ data: waves(), model, optimizer: adam(model, mended ? 1e-2 : 1e-5) });
    },
    { acceptable: ['loss-does-not-move', 'underfitting'] },
  ),
  program(
    'loss-oscillates',
    'a momentum of 0.99 and long steps',
    null,
    (mended) => {
      const model = mlp(6, 32, 1, () => new nn.Tanh(), 2);
      return simple({
        data: curve(),
        model,
        optimizer: sgd(model, mended ? 0.05 : 0.6, mended ? 0.9 : 0.97),
        loss: F.mseLoss,
        batch: 105,
      });
    },
    { acceptable: ['learning-rate-too-high', 'saturated-activation'] },
  ),
  program(
    'loss-oscillates',
    'SGD at the edge, large batches',
    null,
    (mended) => {
      const model = mlp(6, 32, 1, () => new nn.Tanh(), 2);
      return simple({
        data: curve(),
        model,
        optimizer: sgd(model, mended ? 0.05 : 1.3, 0),
        loss: F.mseLoss,
        batch: 210,
      });
    },
    { acceptable: ['learning-rate-too-high'], ...evident },
  ),
  program(
    'loss-oscillates',
    'rows sorted by class',
    null,
    (mended) => {
      const data = blobs(800);
      const order = argsort(data.y);
      const sorted = { ...data, x: data.x.indexSelect(0, order).keep(), y: data.y.indexSelect(0, order).keep() };
      const model = mlp(16, 32, 4);
      return simple({ data: mended ? data : sorted, model, optimizer: sgd(model, 0.05), ordered: true });
    },
    evident,
  ),
  program(
    'nan-or-inf',
    'the logarithm of a probability of 0',
    null,
    (mended) => {
      const model = list(new nn.Linear(16, 48), new nn.ReLU(), new nn.Linear(48, 4), new nn.Softmax(1));
      const data = blobs();
      if (!mended) nn.init.normal_(model.getParameter('2.weight'), 0, 60);
      const loss: Loss = (o, t) => (mended ? F.nllLoss(o.add(1e-6).log(), t) : F.nllLoss(o.log(), t));
      return simple({ data, model, optimizer: sgd(model, 0.05), loss });
    },
    { acceptable: ['exploding-gradients'], ...evident },
  ),
  program(
    'nan-or-inf',
    'a row with NaN',
    null,
    (mended) => {
      const data = blobs();
      const model = mlp(16, 48, 4);
      if (!mended) noGrad(() => data.x.narrow(0, 50, 1).fill_(Number.NaN));
      return simple({ data, model, optimizer: adam(model) });
    },
    evident,
  ),
  program(
    'nan-or-inf',
    'the square root of 0',
    ['norm', ''],
    (mended) => {
      class Norm extends nn.Module {
        forward(x: Tensor): Tensor {
          return x.div(
            x
              .square()
              .sum(1, { keepdim: true })
              .add(mended ? 1e-8 : 0)
              .sqrt()
              .add(1e-8),
          );
        }
      }
      class Net extends nn.Module {
        readonly norm = new Norm();
        readonly first = new nn.Linear(16, 24, { bias: false });
        readonly last = new nn.Linear(24, 4);
        forward(x: Tensor): Tensor {
          return this.last.forward(this.norm.forward(this.first.forward(x)));
        }
      }
      const model = new Net();
      const data = blobs();
      noGrad(() => data.x.narrow(0, 40, 4).zero_());
      return simple({ data, model, optimizer: adam(model) });
    },
    evident,
  ),
];
