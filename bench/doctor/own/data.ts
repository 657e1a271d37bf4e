// Faults of data.
import { cat, functional as F, nn, randn, randperm, type Tensor, tensor } from 'retrograd';
import type { Program } from '../program.ts';
import { bars, blobs, cars, cnn, loop, mlp, penguins, rings, type Split, split } from './kit.ts';
import { adam, evident, program, sgd, simple } from './program.ts';

/** The data of a split, as `change` has it. */
const changed = (data: Split, change: (x: Tensor) => Tensor): Split => ({
  ...data,
  x: change(data.x).keep(),
  xv: change(data.xv).keep(),
});

export const DATA: readonly Program[] = [
  program(
    'data-not-normalised',
    'penguins as they were measured',
    null,
    (mended) => {
      const model = mlp(4, 24, 3);
      return simple({ data: penguins(mended), model, optimizer: sgd(model, 0.01) });
    },
    { acceptable: ['learning-rate-too-high', 'dead-relu'] },
  ),
  program(
    'data-not-normalised',
    'pixels of 0 to 255',
    null,
    (mended) => {
      const model = cnn();
      const data = bars();
      return simple({
        data: mended ? data : changed(data, (x) => x.mul(120).add(100)),
        model,
        optimizer: sgd(model, 0.02),
        steps: 100,
      });
    },
    { acceptable: ['dead-relu', 'learning-rate-too-high', 'nan-or-inf'] },
  ),
  program(
    'data-not-normalised',
    'columns of far scales and tanh',
    null,
    (mended) => {
      const data = rings(700, 3, 6);
      const model = mlp(6, 32, 3, () => new nn.Tanh());
      const scales = tensor([1, 1, 900, 300, 1, 4000]);
      return simple({
        data: mended ? data : changed(data, (x) => x.mul(scales)),
        model,
        optimizer: adam(model),
        steps: 200,
      });
    },
    { acceptable: ['saturated-activation'] },
  ),
  program(
    'constant-input',
    'the columns that count were lost',
    null,
    (mended) => {
      const data = rings(700, 3, 6);
      const model = mlp(6, 32, 3);
      const mask = tensor([0, 0, 1, 1, 1, 1]);
      return simple({
        data: mended ? data : changed(data, (x) => x.mul(mask).add(mask.mul(-0.5).add(0.5))),
        model,
        optimizer: adam(model),
      });
    },
    { acceptable: ['labels-shuffled'] },
  ),
  program('constant-input', 'a loader that gives one image', null, (mended) => {
    const data = bars();
    const model = cnn();
    return simple({
      data: mended ? data : changed(data, (x) => x.narrow(0, 0, 1).expand(x.shape).contiguous()),
      model,
      optimizer: adam(model),
      steps: 80,
    });
  }),
  program('labels-shuffled', 'labels in another order', null, (mended) => {
    const data = blobs(900);
    const model = mlp(16, 48, 4);
    const order = randperm(data.y.shape[0] as number);
    return simple({
      data: mended ? data : { ...data, y: data.y.indexSelect(0, order).keep() },
      model,
      optimizer: adam(model),
    });
  }),
  program(
    'labels-shuffled',
    'images shuffled without labels',
    null,
    (mended) => {
      const data = bars(500);
      const model = cnn();
      const order = randperm(data.y.shape[0] as number);
      return simple({
        data: mended ? data : { ...data, x: data.x.indexSelect(0, order).keep() },
        model,
        optimizer: adam(model, 3e-3),
        steps: 120,
      });
    },
    { acceptable: ['overfitting'] },
  ),
  program('labels-shuffled', 'targets of a regression', null, (mended) => {
    const data = cars();
    const model = mlp(5, 24, 1);
    const order = randperm(data.y.shape[0] as number);
    return simple({
      data: mended ? data : { ...data, y: data.y.indexSelect(0, order).keep() },
      model,
      optimizer: adam(model),
      loss: F.mseLoss,
    });
  }),
  program(
    'labels-imbalanced',
    'one in thirty',
    null,
    (mended) => {
      const rows = 900;
      const x = randn([rows, 8]);
      const rare = x
        .narrow(1, 0, 1)
        .squeeze(1)
        .add(randn([rows]).mul(0.8))
        .gt(mended ? 0 : 2.4);
      const data = split(x, rare.to('i32'), 600);
      const model = mlp(8, 24, 2);
      return loop({ data, model, optimizer: adam(model, 3e-3) });
    },
    evident,
  ),
  program(
    'data-leakage',
    'validation rows are training rows',
    null,
    (mended) => {
      const data = blobs(600, 16, 4, 1);
      const model = mlp(16, 64, 4);
      const leaked = mended
        ? data
        : {
            ...data,
            xv: data.x.narrow(0, 0, 150).contiguous().keep(),
            yv: data.y.narrow(0, 0, 150).contiguous().keep(),
          };
      return simple({ data: leaked, model, optimizer: adam(model) });
    },
    evident,
  ),
  program(
    'data-leakage',
    'near copies of a fifth',
    null,
    (mended) => {
      const data = bars(400);
      const model = cnn();
      const some = data.x.narrow(0, 10, 25).add(randn([25, 1, 12, 12]).mul(0.002));
      const xv = mended ? data.xv : nnCat(some, data.xv.narrow(0, 25, 95));
      const yv = mended ? data.yv : nnCat(data.y.narrow(0, 10, 25), data.yv.narrow(0, 25, 95));
      return simple({
        data: { ...data, xv: xv.keep(), yv: yv.keep() },
        model,
        optimizer: adam(model, 3e-3),
        steps: 80,
      });
    },
    evident,
  ),
];

const nnCat = (a: Tensor, b: Tensor): Tensor => cat([a, b], 0);
