// Faults of the loop.
import { functional as F, nn, noGrad, optim, type Tensor } from 'retrograd';
import type { Program } from '../program.ts';
import {
  bars,
  batchesOf,
  blobs,
  cnn,
  curve,
  mlp,
  perToken,
  Recurrent,
  rings,
  Transformer,
  text,
  waves,
} from './kit.ts';
import { adam, evident, list, program, sgd, simple } from './program.ts';

export const WIRING: readonly Program[] = [
  program(
    'forgotten-zero-grad',
    'an MLP',
    null,
    (mended) => {
      const model = mlp(6, 32, 1);
      return simple({ data: curve(), model, optimizer: sgd(model, 0.05), loss: F.mseLoss, zero: mended });
    },
    evident,
  ),
  program(
    'forgotten-zero-grad',
    'a compiled CNN',
    null,
    (mended) => {
      const model = cnn();
      return simple({ data: bars(), model, optimizer: sgd(model, 0.05, 0), zero: mended, compiled: true, steps: 100 });
    },
    evident,
  ),
  program(
    'forgotten-zero-grad',
    'a transformer with Adam',
    null,
    (mended) => {
      const model = new Transformer();
      return simple({ data: text(), model, optimizer: adam(model, 5e-3), loss: perToken, zero: mended, steps: 80 });
    },
    evident,
  ),
  program(
    'forgotten-train-mode',
    'eval() after the first evaluation',
    null,
    (mended) => {
      const data = bars();
      const model = cnn(4, true);
      return simple({
        data,
        model,
        optimizer: sgd(model, 0.1),
        steps: 100,
        before: (i) => {
          if (i % 20 !== 0) return;
          model.eval();
          noGrad(() => model.forward(data.xv));
          if (mended) model.train();
        },
      });
    },
    evident,
  ),
  program(
    'forgotten-train-mode',
    'dropout at rest',
    null,
    (mended) => {
      const model = list(new nn.Linear(16, 64), new nn.ReLU(), new nn.Dropout(0.4), new nn.Linear(64, 4));
      if (!mended) model.eval();
      return simple({ data: blobs(600, 16, 4, 1), model, optimizer: adam(model), compiled: true });
    },
    evident,
  ),
  program(
    'forgotten-eval-mode',
    'validation with dropout and batch norm',
    '',
    (mended) => {
      const data = bars();
      const model = cnn(4, true);
      return simple({
        data,
        model,
        optimizer: adam(model, 3e-3),
        steps: 100,
        before: (i) => {
          if (i % 20 !== 0) return;
          if (mended) model.eval();
          noGrad(() => F.crossEntropy(model.forward(data.xv), data.yv).item());
          model.train();
        },
      });
    },
    evident,
  ),
  program(
    'forgotten-eval-mode',
    'an MLP with dropout',
    '',
    (mended) => {
      const data = blobs();
      const model = list(new nn.Linear(16, 64), new nn.ReLU(), new nn.Dropout(0.5), new nn.Linear(64, 4));
      return simple({
        data,
        model,
        optimizer: adam(model),
        before: (i) => {
          if (i % 25 !== 24) return;
          if (mended) model.eval();
          for (const [x] of batchesOf(data.xv, data.yv, 64)) noGrad(() => model.forward(x));
          model.train();
        },
      });
    },
    evident,
  ),
  program('parameters-not-in-optimizer', 'only the head', ['0', ''], (mended) => {
    const model = mlp(4, 32, 3, () => new nn.ReLU(), 1);
    const optimizer = new optim.Adam(mended ? model.parameters() : (model.children()[2] as nn.Module).parameters(), {
      lr: 1e-2,
    });
    return simple({ data: rings(), model, optimizer });
  }),
  program(
    'parameters-not-in-optimizer',
    'a layer that came later',
    '9',
    (mended) => {
      const model = cnn(10);
      const late = adam(model, 3e-3);
      const layers = model.children();
      const head = new nn.Linear(144, 4);
      const net = list(...layers.slice(0, -1), head);
      return simple({ data: bars(), model: net, optimizer: mended ? adam(net, 3e-3) : late, steps: 100 });
    },
    { where: ['7', ''], ...evident },
  ),
  program('parameters-without-gradient', 'detach() between', ['encoder', 'encoder.0'], (mended) => {
    class Net extends nn.Module {
      readonly encoder = list(new nn.Linear(4, 32), new nn.ReLU());
      readonly head = new nn.Linear(32, 3);
      forward(x: Tensor): Tensor {
        const h = this.encoder.forward(x);
        return this.head.forward(mended ? h : h.detach());
      }
    }
    const model = new Net();
    return simple({ data: rings(), model, optimizer: adam(model) });
  }),
  program(
    'parameters-without-gradient',
    'an LSTM under noGrad',
    'rnn',
    (mended) => {
      class Net extends Recurrent {
        override forward(x: Tensor): Tensor {
          if (mended) return super.forward(x);
          const [y] = noGrad(() => (this.rnn as unknown as { forward(x: Tensor): [Tensor] }).forward(x));
          return this.head.forward(y.select(1, -1));
        }
      }
      const model = new Net('lstm');
      return simple({ data: waves(), model, optimizer: adam(model) });
    },
    evident,
  ),
  program('weights-never-change', 'a learning rate of 0', null, (mended) => {
    const model = mlp(16, 32, 4);
    return simple({ data: blobs(), model, optimizer: adam(model, mended ? 1e-2 : 0) });
  }),
  program(
    'weights-never-change',
    'the optimizer of another model',
    null,
    (mended) => {
      const model = cnn();
      return simple({ data: bars(), model, optimizer: adam(mended ? model : cnn(), 3e-3), steps: 80 });
    },
    { acceptable: ['parameters-not-in-optimizer'] },
  ),
  program(
    'constant-initialisation',
    'all weights 0.5',
    ['0', '2', '4'],
    (mended) => {
      const model = mlp(16, 32, 4);
      if (!mended) for (const p of model.parameters()) nn.init.constant_(p, 0.05);
      return simple({ data: rings(700, 4, 16), model, optimizer: adam(model) });
    },
    { ...evident },
  ),
  program('constant-initialisation', 'zeros', ['0', '2', '4'], (mended) => {
    const model = mlp(16, 32, 4);
    if (!mended) for (const p of model.parameters()) nn.init.zeros_(p);
    return simple({ data: blobs(), model, optimizer: sgd(model) });
  }),
  program(
    'batch-too-small-for-batch-norm',
    'two rows',
    ['1', ''],
    (mended) => {
      const model = list(new nn.Linear(16, 32), new nn.BatchNorm1d(32), new nn.ReLU(), new nn.Linear(32, 4));
      return simple({ data: blobs(), model, optimizer: adam(model, 3e-3), batch: mended ? 32 : 2 });
    },
    evident,
  ),
  program(
    'dropout-misplaced',
    'dropout behind the last layer',
    '3',
    (mended) => {
      const model = list(
        new nn.Linear(16, 32),
        new nn.ReLU(),
        new nn.Linear(32, 4),
        ...(mended ? [] : [new nn.Dropout(0.5)]),
      );
      return simple({ data: blobs(), model, optimizer: adam(model) });
    },
    evident,
  ),
  program(
    'dropout-misplaced',
    'dropout before batch norm',
    ['1', '2'],
    (mended) => {
      const model = list(
        new nn.Linear(16, 32),
        ...(mended ? [] : [new nn.Dropout(0.5)]),
        new nn.BatchNorm1d(32),
        new nn.ReLU(),
        new nn.Linear(32, 4),
      );
      return simple({ data: blobs(), model, optimizer: adam(model) });
    },
    evident,
  ),
  program(
    'clipping-always-active',
    'a norm of at most 0.01',
    null,
    (mended) => {
      const model = mlp(16, 32, 4);
      return simple({
        data: blobs(),
        model,
        optimizer: sgd(model, 0.1, 0),
        between: () => void optim.clipGradNorm(model.parameters(), mended ? 5 : 0.01),
      });
    },
    { acceptable: ['learning-rate-too-low'] },
  ),
  program(
    'weight-decay-on-norms',
    'AdamW on all',
    null,
    (mended) => {
      const model = list(new nn.Linear(16, 32), new nn.LayerNorm(32), new nn.ReLU(), new nn.Linear(32, 4));
      return simple({
        data: blobs(),
        model,
        optimizer: new optim.AdamW(model.parameters(), { lr: 3e-3, weightDecay: mended ? 0 : 0.1 }),
        steps: 80,
      });
    },
    evident,
  ),
];
