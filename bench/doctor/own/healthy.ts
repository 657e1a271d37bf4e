// Programs with no fault, by the author of the doctor's rules: what is usual, and what only looks like a fault.
import { functional as F, nn, noGrad, optim, type Tensor } from 'retrograd';
import type { Program, Run } from '../program.ts';
import {
  bars,
  batchesOf,
  blobs,
  cars,
  cnn,
  curve,
  type Loss,
  loop,
  mlp,
  penguins,
  perToken,
  Recurrent,
  rings,
  Transformer,
  text,
  waves,
} from './kit.ts';

type Forward = nn.Module & { forward(x: Tensor): Tensor };
const list = (...layers: nn.Module[]): Forward => new nn.Sequential(...(layers as never[])) as never;
const adam = (model: nn.Module, lr = 1e-2): optim.Adam => new optim.Adam(model.parameters(), { lr });
const program = (name: string, make: (seed: number) => Run): Program => ({
  name,
  fault: null,
  where: null,
  evidence: 'main.js --check: its loss falls, and it is right more often than not',
  make,
  shows: ({ first, last }) => last < 0.9 * first,
});

export const HEALTHY: readonly Program[] = [
  program('an MLP on blobs', () => {
    const model = mlp(16, 48, 4);
    return loop({ data: blobs(), model, optimizer: adam(model, 3e-3) });
  }),
  program('an MLP on rings, compiled', () => {
    const model = mlp(4, 32, 3);
    return loop({ data: rings(), model, optimizer: adam(model), compiled: true, steps: 200 });
  }),
  program('blobs that overlap, SGD', () => {
    const model = mlp(16, 48, 4);
    return loop({
      data: blobs(1200, 16, 4, 2),
      model,
      optimizer: new optim.SGD(model.parameters(), { lr: 0.05, momentum: 0.9 }),
    });
  }),
  program('a regression', () => {
    const model = mlp(6, 48, 1, () => new nn.Tanh());
    return loop({ data: curve(), model, optimizer: adam(model, 5e-3), loss: new nn.MSELoss() as never, steps: 200 });
  }),
  program('cars', () => {
    const model = mlp(5, 24, 1);
    return loop({ data: cars(), model, optimizer: adam(model), loss: F.smoothL1Loss as Loss });
  }),
  program('penguins', () => {
    const model = mlp(4, 16, 3, () => new nn.ReLU(), 1);
    return loop({ data: penguins(), model, optimizer: adam(model) });
  }),
  program('a CNN', () => {
    const model = cnn();
    return loop({ data: bars(), model, optimizer: adam(model, 3e-3), steps: 120 });
  }),
  program('a CNN with batch norm, which it evaluates', () => {
    const model = cnn(4, true);
    const data = bars();
    return loop({
      data,
      model,
      optimizer: adam(model, 3e-3),
      steps: 100,
      before: (i) => {
        if (i % 20 !== 0) return;
        model.eval();
        noGrad(() => model.forward(data.xv));
        model.train();
      },
    });
  }),
  program('a CNN with batch norm, compiled, batches of 16', () => {
    const model = cnn(4, true);
    return loop({
      data: bars(),
      model,
      optimizer: new optim.SGD(model.parameters(), { lr: 0.05, momentum: 0.9 }),
      batch: 16,
      compiled: true,
      steps: 120,
    });
  }),
  program('an LSTM', () => {
    const model = new Recurrent('lstm');
    return loop({
      data: waves(),
      model,
      optimizer: adam(model),
      between: () => void optim.clipGradNorm(model.parameters(), 5),
    });
  }),
  program('a GRU, compiled', () => {
    const model = new Recurrent('gru');
    return loop({ data: waves(), model, optimizer: adam(model), compiled: true });
  }),
  program('an RNN', () => {
    const model = new Recurrent('rnn', 48);
    const data = waves(600, 10);
    return loop({
      data,
      model,
      optimizer: adam(model, 3e-3),
      between: () => void optim.clipGradNorm(model.parameters(), 1),
      steps: 200,
    });
  }),
  program('a transformer', () => {
    const model = new Transformer();
    return loop({ data: text(), model, optimizer: adam(model, 5e-3), loss: perToken, steps: 120 });
  }),
  program('a transformer with dropout and AdamW', () => {
    const model = new Transformer(12, 24, 16, 0.1);
    return loop({
      data: text(),
      model,
      optimizer: new optim.AdamW(model.parameters(), { lr: 5e-3 }),
      loss: perToken,
      steps: 120,
    });
  }),
  program('dropout between layers', () => {
    const model = list(
      new nn.Linear(16, 64),
      new nn.ReLU(),
      new nn.Dropout(0.3),
      new nn.Linear(64, 64),
      new nn.ReLU(),
      new nn.Dropout(0.3),
      new nn.Linear(64, 4),
    );
    return loop({ data: blobs(), model, optimizer: adam(model, 3e-3) });
  }),
  program('a frozen first layer', () => {
    const model = mlp(16, 64, 4);
    (model.children()[0] as nn.Module).requiresGrad_(false);
    return loop({
      data: blobs(),
      model,
      optimizer: new optim.Adam(
        model.parameters().filter((p) => p.requiresGrad),
        { lr: 5e-3 },
      ),
    });
  }),
  program('binary, BCE with logits', () => {
    const data = blobs(600, 8, 2);
    const model = mlp(8, 24, 1);
    const loss: Loss = (o, t) => F.binaryCrossEntropyWithLogits(o.squeeze(1), t.to('f32'));
    return loop({ data, model, optimizer: adam(model, 5e-3), loss }, () => 1);
  }),
  program('logSoftmax and nllLoss', () => {
    const model = list(new nn.Linear(16, 32), new nn.Tanh(), new nn.Linear(32, 4), new nn.LogSoftmax(1));
    return loop({ data: blobs(), model, optimizer: adam(model, 5e-3), loss: new nn.NLLLoss() as never });
  }),
  program('seven layers with norms', () => {
    const layers = Array.from({ length: 7 }, (_, i) => [
      new nn.Linear(i ? 32 : 16, 32),
      new nn.LayerNorm(32),
      new nn.ReLU(),
    ]).flat();
    const model = list(...layers, new nn.Linear(32, 4));
    return loop({ data: blobs(), model, optimizer: adam(model, 2e-3) });
  }),
  program('an autoencoder', () => {
    const data = bars();
    const model = list(new nn.Flatten(), new nn.Linear(144, 48), new nn.ReLU(), new nn.Linear(48, 144));
    const flat = { ...data, y: data.x.flatten(1).keep(), yv: data.xv.flatten(1).keep() };
    return loop({ data: flat, model, optimizer: adam(model, 3e-3), loss: F.mseLoss, steps: 200 });
  }),
  program('accumulated gradients', () => {
    const model = mlp(16, 48, 4);
    const optimizer = adam(model, 3e-3);
    const data = blobs();
    const more = [...batchesOf(data.x, data.y, 32)];
    let at = 0;
    return loop({
      data,
      model,
      optimizer,
      between: () => {
        const [x, y] = more[at++ % more.length] as readonly [Tensor, Tensor];
        F.crossEntropy(model.forward(x), y).backward();
      },
    });
  }),
  program('hidden from the doctor, as a program without data', () => {
    const model = mlp(16, 48, 4);
    return loop({ data: blobs(), model, optimizer: adam(model, 3e-3), shown: false });
  }),
];
