// Faults of what comes out.
import { functional as F, nn } from 'retrograd';
import type { Program } from '../program.ts';
import { bars, blobs, type Loss, loop, mlp, rings } from './kit.ts';
import { adam, evident, list, program, simple } from './program.ts';

export const FITS: readonly Program[] = [
  program(
    'overfitting',
    'sixty rows and a wide network',
    null,
    (mended) => {
      const data = blobs(mended ? 2000 : 600, 24, 4, mended ? 1.2 : 2.6);
      const few = {
        ...data,
        x: data.x.narrow(0, 0, 48).contiguous().keep(),
        y: data.y.narrow(0, 0, 48).contiguous().keep(),
      };
      const model = mlp(24, 128, 4);
      return simple({ data: mended ? data : few, model, optimizer: adam(model, 5e-3), batch: 24 });
    },
    evident,
  ),
  program(
    'overfitting',
    'noisy images by heart',
    null,
    (mended) => {
      const data = bars(mended ? 400 : 60);
      const model = list(new nn.Flatten(), ...(mlp(144, 128, 4).children() as nn.Module[]));
      return simple({ data, model, optimizer: adam(model, 3e-3), batch: 20, steps: 200 });
    },
    evident,
  ),
  program('underfitting', 'a line through rings', null, (mended) => {
    const model = mended ? mlp(4, 32, 3) : list(new nn.Linear(4, 3));
    return simple({ data: rings(), model, optimizer: adam(model) });
  }),
  program('underfitting', 'a hidden layer of one unit', null, (mended) => {
    const model = list(new nn.Linear(16, mended ? 32 : 1), new nn.Tanh(), new nn.Linear(mended ? 32 : 1, 4));
    return simple({ data: blobs(), model, optimizer: adam(model) });
  }),
  program(
    'loss-does-not-move',
    'a softmax over one class',
    null,
    (mended) => {
      const data = blobs(600, 8, 2);
      const model = mlp(8, 24, mended ? 2 : 1);
      const loss: Loss = (o, t) => (mended ? F.crossEntropy(o, t) : F.mseLoss(F.softmax(o, 1).squeeze(1), t.to('f32')));
      return loop({ data, model, optimizer: adam(model), loss }, () => 0);
    },
    {
      acceptable: [
        'loss-does-not-fit-output',
        'parameters-without-gradient',
        'weights-never-change',
        'learning-rate-too-low',
      ],
      ...evident,
    },
  ),
];
