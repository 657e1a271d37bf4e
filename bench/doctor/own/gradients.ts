// Faults of flow through layers.
import { functional as F, nn, noGrad } from 'retrograd';
import type { Program } from '../program.ts';
import { bars, blobs, cnn, curve, mlp, Recurrent, rings, waves } from './kit.ts';
import { adam, evident, list, program, sgd, simple } from './program.ts';

export const GRADIENTS: readonly Program[] = [
  program('vanishing-gradients', 'ten sigmoid layers', ['0', '2', '4', '6', '1', '3'], (mended) => {
    const data = rings();
    const model = mlp(4, 24, 3, () => (mended ? new nn.ReLU() : new nn.Sigmoid()), mended ? 3 : 10);
    return simple({ data, model, optimizer: adam(model, 3e-3) });
  }),
  program('vanishing-gradients', 'tanh with small weights', ['0', '2', '4'], (mended) => {
    const data = blobs();
    const model = mlp(16, 32, 4, () => new nn.Tanh(), 8);
    if (!mended)
      noGrad(() => {
        for (const p of model.parameters()) p.mul_(0.35);
      });
    return simple({ data, model, optimizer: sgd(model, 0.05) });
  }),
  program('vanishing-gradients', 'deep CNN of sigmoids', ['0', '2', '4', '1', '3'], (mended) => {
    const act = (): nn.Module => (mended ? new nn.ReLU() : new nn.Sigmoid());
    const layers = Array.from({ length: 6 }, (_, i) => [new nn.Conv2d(i ? 6 : 1, 6, 3, { padding: 1 }), act()]).flat();
    const model = list(...layers, new nn.AdaptiveAvgPool2d(3), new nn.Flatten(), new nn.Linear(54, 4));
    return simple({ data: bars(), model, optimizer: adam(model), steps: 120 });
  }),
  program(
    'exploding-gradients',
    'weights of standard deviation 1',
    ['0', '2', '4'],
    (mended) => {
      const model = mlp(16, 64, 4, () => new nn.ReLU(), 5);
      if (!mended) for (const p of model.parameters()) if (p.ndim > 1) nn.init.normal_(p, 0, 1);
      return simple({ data: blobs(), model, optimizer: sgd(model, mended ? 0.05 : 0.01) });
    },
    { acceptable: ['nan-or-inf'] },
  ),
  program(
    'exploding-gradients',
    'one layer of huge weights',
    ['2'],
    (mended) => {
      const model = mlp(6, 48, 1, () => new nn.ReLU(), 3);
      if (!mended) nn.init.normal_(model.getParameter('2.weight'), 0, 8);
      return simple({ data: curve(), model, optimizer: sgd(model, 0.01), loss: F.mseLoss });
    },
    { acceptable: ['nan-or-inf'] },
  ),
  program(
    'exploding-gradients',
    'RNN whose states grow',
    ['rnn'],
    (mended) => {
      const model = new Recurrent('rnn', 32);
      Reflect.set(model.rnn, 'nonlinearity', 'relu');
      if (!mended) nn.init.normal_(model.getParameter('rnn.weight_hh_l0'), 0, 0.6);
      return simple({ data: waves(), model, optimizer: sgd(model, 0.02) });
    },
    { acceptable: ['nan-or-inf', 'saturated-activation'], ...evident },
  ),
  program('dead-relu', 'biases far below 0', ['0', '1', '2', '3'], (mended) => {
    const model = mlp(16, 48, 4);
    if (!mended) nn.init.constant_(model.getParameter('0.bias'), -6);
    return simple({ data: blobs(), model, optimizer: sgd(model, 0.05) });
  }),
  program(
    'dead-relu',
    'weights below 0 and inputs above',
    ['0', '1', '2', '3', '4', '5'],
    (mended) => {
      const model = mlp(16, 48, 4, () => new nn.ReLU(), 3);
      const data = blobs();
      if (!mended) noGrad(() => void model.getParameter('0.weight').copy_(model.getParameter('0.weight').abs().neg()));
      return simple({
        data: { ...data, x: data.x.abs().keep(), xv: data.xv.abs().keep() },
        model,
        optimizer: sgd(model, 0.02),
      });
    },
    { acceptable: ['learning-rate-too-high'] },
  ),
  program('dead-relu', 'a CNN with dead channels', ['0', '1', '3', '4'], (mended) => {
    const model = cnn();
    if (!mended) nn.init.constant_(model.getParameter('0.bias'), -5);
    return simple({ data: bars(), model, optimizer: adam(model), steps: 100 });
  }),
  program(
    'saturated-activation',
    'tanh behind large weights',
    ['0', '1', '2', '3'],
    (mended) => {
      const model = mlp(16, 48, 4, () => new nn.Tanh(), 3);
      if (!mended)
        for (const name of ['0.weight', '2.weight', '4.weight']) nn.init.normal_(model.getParameter(name), 0, 3);
      return simple({ data: blobs(600, 16, 4, 1.6), model, optimizer: sgd(model, 0.02) });
    },
    { acceptable: ['exploding-gradients'] },
  ),
  program('saturated-activation', 'sigmoid with a large bias', ['0', '1'], (mended) => {
    const model = mlp(6, 48, 1, () => new nn.Sigmoid(), 2);
    if (!mended) nn.init.constant_(model.getParameter('0.bias'), 12);
    return simple({ data: curve(), model, optimizer: adam(model, 1e-2), loss: F.mseLoss, steps: 200 });
  }),
];
