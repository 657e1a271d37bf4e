// Faults that look like what is usual: losses by hand, softmax where it is not seen, decay, dropout, norms.
import { functional as F, nn, optim, rand, type Tensor } from 'retrograd';
import type { Program } from '../program.ts';
import { roll } from './floors.ts';
import { bars, blobs, type Loss, loop, mlp, rings, type Split } from './kit.ts';
import { adam, evident, list, program, sgd, simple } from './program.ts';

const withTargets = (data: Split, fn: (y: Tensor) => Tensor): Split => ({
  ...data,
  y: fn(data.y).keep(),
  yv: fn(data.yv).keep(),
});
const oneHot = (y: Tensor): Tensor => F.oneHot(y, 4).to('f32');
/** Of several labels a row may have any. */
const labels = (data: Split): Split => {
  const of = (x: Tensor): Tensor => x.narrow(1, 0, 4).gt(0.2).to('f32').keep();
  return { ...data, y: of(data.x), yv: of(data.xv) };
};
const smooth = (y: Tensor): Tensor => oneHot(y).mul(0.8).add(0.05);

export const MORE: readonly Program[] = [
  program(
    'loss-does-not-fit-output',
    'a softmax and BCELoss, several labels a row',
    ['', '3'],
    (mended) => {
      const data = labels(blobs(600, 8));
      const model = list(
        new nn.Linear(8, 32),
        new nn.ReLU(),
        new nn.Linear(32, 4),
        mended ? new nn.Sigmoid() : new nn.Softmax(1),
      );
      return loop({ data, model, optimizer: adam(model), loss: new nn.BCELoss() as never }, () => 0);
    },
    { acceptable: ['softmax-twice'], ...evident },
  ),
  program(
    'loss-does-not-fit-output',
    'a softmax in the loop, several labels a row',
    ['', '2'],
    (mended) => {
      const data = labels(blobs(600, 8));
      const model = mlp(8, 32, 4, () => new nn.ReLU(), 1);
      const loss: Loss = (o, t) => F.binaryCrossEntropy(mended ? F.sigmoid(o) : F.softmax(o, 1), t);
      return loop({ data, model, optimizer: adam(model), loss }, () => 0);
    },
    { acceptable: ['softmax-twice'], ...evident },
  ),
  program(
    'wrong-sign',
    'a Gaussian log likelihood that is minimised',
    null,
    (mended) => {
      const points = blobs(700, 6, 3);
      const y = (x: Tensor): Tensor =>
        x
          .narrow(1, 0, 1)
          .add(x.narrow(1, 1, 1))
          .keep();
      const data = { ...points, y: y(points.x), yv: y(points.xv) };
      const model = mlp(6, 24, 2, () => new nn.Tanh(), 1);
      const loss: Loss = (o, t) => {
        const [mean, log] = [o.narrow(1, 0, 1), o.narrow(1, 1, 1).clamp(-3, 3)];
        const likelihood = t.sub(mean).square().mul(log.neg().exp()).add(log).mul(-0.5).mean();
        return mended ? likelihood.neg() : likelihood;
      };
      return loop({ data, model, optimizer: adam(model, 3e-3), loss }, () => 0);
    },
    { ...evident, acceptable: ['nan-or-inf'] },
  ),
  program(
    'wrong-sign',
    'the logarithm of what was chosen, minimised',
    null,
    (mended) => {
      const model = mlp(16, 32, 4);
      const loss: Loss = (o, t) =>
        F.logSoftmax(o, 1)
          .gather(1, t.unsqueeze(1))
          .mean()
          .mul(mended ? -1 : 1);
      return simple({ data: blobs(), model, optimizer: sgd(model, 0.02), loss });
    },
    { acceptable: ['nan-or-inf'] },
  ),
  program(
    'softmax-twice',
    'a softmax inside forward() and soft targets',
    '',
    (mended) => {
      class Net extends nn.Module {
        readonly body = mlp(16, 32, 4, () => new nn.ReLU(), 1);
        forward(x: Tensor): Tensor {
          const o = this.body.forward(x) as Tensor;
          return mended ? o : F.softmax(o, 1);
        }
      }
      const model = new Net();
      const data = withTargets(blobs(), smooth);
      return loop({ data, model, optimizer: adam(model, 3e-3), loss: new nn.CrossEntropyLoss() as never }, () => 0);
    },
    evident,
  ),
  program(
    'softmax-twice',
    'a softmax inside forward() and mixed targets, a convolution',
    ['', 'out'],
    (mended) => {
      class Net extends nn.Module {
        readonly conv = new nn.Conv2d(1, 8, 3, { stride: 2 });
        readonly out = new nn.Linear(200, 4);
        forward(x: Tensor): Tensor {
          const o = this.out.forward(this.conv.forward(x).relu().flatten(1));
          return mended ? o : o.softmax(1);
        }
      }
      const model = new Net();
      const data = bars();
      const y = oneHot(data.y);
      const mix = rand([1]).item() * 0.2 + 0.2;
      const mixed = {
        ...data,
        y: y
          .mul(1 - mix)
          .add(roll(y).mul(mix))
          .keep(),
        yv: oneHot(data.yv).keep(),
      };
      const loss: Loss = (o, t) => F.crossEntropy(o, t);
      return loop({ data: mixed, model, optimizer: adam(model, 3e-3), loss, steps: 100 }, () => 0);
    },
    evident,
  ),
  program(
    'softmax-missing',
    'KL divergence of logits',
    ['', '2'],
    (mended) => {
      const model = mlp(16, 32, 4, () => new nn.ReLU(), 1);
      const loss: Loss = (o, t) => F.klDiv(mended ? F.logSoftmax(o, 1) : o, t, { reduction: 'batchmean' });
      const data = withTargets(blobs(), smooth);
      return loop({ data, model, optimizer: adam(model, 3e-3), loss }, () => 0);
    },
    evident,
  ),
  program(
    'softmax-missing',
    'KLDivLoss of what a layer gives',
    ['', '4'],
    (mended) => {
      const model = list(...(mlp(16, 32, 4).children() as nn.Module[]), ...(mended ? [new nn.LogSoftmax(1)] : []));
      const data = withTargets(blobs(), smooth);
      const loss = new nn.KLDivLoss({ reduction: 'batchmean' }) as never;
      return loop({ data, model, optimizer: sgd(model, 0.02, 0.5), loss }, () => 0);
    },
    evident,
  ),
  program(
    'dropout-misplaced',
    'dropout of the inputs',
    '0',
    (mended) => {
      const model = list(new nn.Dropout(mended ? 0 : 0.5), new nn.Linear(16, 32), new nn.ReLU(), new nn.Linear(32, 4));
      return simple({ data: blobs(), model, optimizer: adam(model, 5e-3) });
    },
    evident,
  ),
  program(
    'dropout-misplaced',
    'dropout of the inputs of a small table',
    'drop',
    (mended) => {
      class Net extends nn.Module {
        readonly drop = new nn.Dropout(mended ? 0 : 0.6);
        readonly net = mlp(4, 32, 3, () => new nn.ReLU(), 1);
        forward(x: Tensor): Tensor {
          return this.net.forward(this.drop.forward(x)) as Tensor;
        }
      }
      const model = new Net();
      return simple({ data: rings(), model, optimizer: adam(model) });
    },
    evident,
  ),
  program(
    'underfitting',
    'a weight decay of 20',
    null,
    (mended) => {
      const model = mlp(16, 32, 4);
      const optimizer = new optim.AdamW(model.parameters(), { lr: 1e-2, weightDecay: mended ? 0.01 : 20 });
      return simple({ data: blobs(), model, optimizer });
    },
    { acceptable: ['loss-does-not-move'] },
  ),
  program(
    'underfitting',
    'SGD and a weight decay of 0.5',
    null,
    (mended) => {
      const model = mlp(16, 32, 4);
      const optimizer = new optim.SGD(model.parameters(), {
        lr: 0.05,
        momentum: 0.9,
        weightDecay: mended ? 1e-4 : 0.5,
      });
      return simple({ data: blobs(), model, optimizer });
    },
    { acceptable: ['loss-does-not-move'] },
  ),
  program(
    'weight-decay-on-norms',
    'AdamW over an MLP with norms',
    ['1', '4'],
    (mended) => {
      const hidden = (a: number): nn.Module[] => [new nn.Linear(a, 32), new nn.LayerNorm(32), new nn.ReLU()];
      const model = list(...hidden(16), ...hidden(32), new nn.Linear(32, 4));
      return simple({
        data: blobs(),
        model,
        optimizer: new optim.AdamW(model.parameters(), { lr: 3e-3, weightDecay: mended ? 0 : 0.1 }),
      });
    },
    evident,
  ),
];
