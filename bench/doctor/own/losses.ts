// Faults of losses.
import { functional as F, nn, optim } from 'retrograd';
import type { Program } from '../program.ts';
import { bars, blobs, cars, cnn, curve, type Loss, loop, mlp, Recurrent, rings, waves } from './kit.ts';
import { adam, evident, list, program, sgd, simple } from './program.ts';

export const LOSSES: readonly Program[] = [
  program(
    'softmax-twice',
    'a softmax at the end of an MLP',
    '3',
    (mended) => {
      const model = list(
        new nn.Linear(16, 32),
        new nn.ReLU(),
        new nn.Linear(32, 4),
        ...(mended ? [] : [new nn.Softmax(1)]),
      );
      return simple({ data: blobs(), model, optimizer: sgd(model, 0.03, 0) });
    },
    { ...evident },
  ),
  program(
    'softmax-twice',
    'a softmax in the loop',
    null,
    (mended) => {
      const model = cnn();
      return simple({
        data: bars(),
        model,
        optimizer: adam(model, 3e-3),
        steps: 100,
        computed: (x, y) => {
          const output = mended ? model.forward(x) : F.softmax(model.forward(x), 1);
          return { output, loss: F.crossEntropy(output, y) };
        },
      });
    },
    evident,
  ),
  program(
    'softmax-twice',
    'a sigmoid and BCE with logits',
    '3',
    (mended) => {
      const data = blobs(600, 8, 2);
      const model = list(
        new nn.Linear(8, 24),
        new nn.ReLU(),
        new nn.Linear(24, 1),
        ...(mended ? [] : [new nn.Sigmoid()]),
      );
      const loss: Loss = (o, t) => F.binaryCrossEntropyWithLogits(o.squeeze(1), t.to('f32'));
      return loop({ data, model, optimizer: adam(model), loss }, () => 0);
    },
    evident,
  ),
  program(
    'softmax-missing',
    'nllLoss of what a layer gives',
    ['', '2'],
    (mended) => {
      const model = mlp(16, 32, 4, () => new nn.ReLU(), 1);
      const loss: Loss = (o, t) => F.nllLoss(mended ? F.logSoftmax(o, 1) : o, t);
      return simple({ data: blobs(), model, optimizer: sgd(model, 0.02), loss });
    },
    evident,
  ),
  program(
    'softmax-missing',
    'a CNN and NLLLoss',
    ['', '7', '9'],
    (mended) => {
      const model = list(...(cnn().children() as nn.Module[]), ...(mended ? [new nn.LogSoftmax(1)] : []));
      return simple({ data: bars(), model, optimizer: adam(model, 3e-3), loss: new nn.NLLLoss() as never, steps: 100 });
    },
    evident,
  ),
  program('loss-does-not-fit-output', 'targets stretched against outputs', ['', '4'], (mended) => {
    const data = curve();
    const flat = { ...data, y: data.y.squeeze(1).keep(), yv: data.yv.squeeze(1).keep() };
    const model = mlp(6, 32, 1);
    const loss: Loss = (o, t) => (mended ? o.squeeze(1) : o).sub(t).square().mean();
    return simple({ data: flat, model, optimizer: adam(model), loss });
  }),
  program(
    'loss-does-not-fit-output',
    'squared errors of class numbers',
    ['', '4'],
    (mended) => {
      const data = rings(700, 5);
      const model = mlp(4, 32, mended ? 5 : 1);
      const loss: Loss = mended ? F.crossEntropy : (o, t) => F.mseLoss(o.squeeze(1), t.to('f32'));
      return loop({ data, model, optimizer: adam(model), loss }, () => 0);
    },
    evident,
  ),
  program('loss-does-not-fit-output', 'a sigmoid before targets of scale 1', ['3', ''], (mended) => {
    const data = cars();
    const model = list(
      new nn.Linear(5, 24),
      new nn.ReLU(),
      new nn.Linear(24, 1),
      ...(mended ? [] : [new nn.Sigmoid()]),
    );
    return simple({ data, model, optimizer: adam(model), loss: F.mseLoss });
  }),
  program(
    'wrong-sign',
    'the negative of the loss',
    null,
    (mended) => {
      const model = mlp(16, 32, 4);
      return simple({
        data: blobs(),
        model,
        optimizer: sgd(model, 0.02),
        computed: (x, y) => {
          const output = model.forward(x);
          const loss = F.crossEntropy(output, y);
          return { output, loss: mended ? loss : loss.neg() };
        },
      });
    },
    { acceptable: ['nan-or-inf'] },
  ),
  program('wrong-sign', 'maximize', null, (mended) => {
    const model = new Recurrent('gru');
    return simple({
      data: waves(),
      model,
      optimizer: new optim.Adam(model.parameters(), { lr: 3e-3, maximize: !mended }),
    });
  }),
  program('wrong-sign', 'a loss of its own without the minus', null, (mended) => {
    const model = mlp(16, 32, 4);
    const loss: Loss = (o, t) =>
      F.logSoftmax(o, 1)
        .mul(F.oneHot(t, 4).to('f32'))
        .sum()
        .div(t.shape[0] as number)
        .mul(mended ? -1 : 1);
    return simple({ data: blobs(), model, optimizer: adam(model, 3e-3), loss });
  }),
];
