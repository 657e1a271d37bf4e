// Small trainings for the tests of retrograd/train.
import { data, functional as F, manualSeed, nn, optim, randint, randn, type Tensor } from '../../bindings/index.ts';
import { Trainer, type TrainerOptions } from '../../bindings/train/index.ts';

export type Pair = [x: Tensor, y: Tensor];

/** 50 points of three classes, the same each time. */
export function points(count = 50): Pair {
  manualSeed(3);
  return [randn([count, 4]).keep(), randint(0, 3, [count]).keep()];
}

/** A network with dropout and a batch norm. */
export const network = (): nn.Sequential =>
  new nn.Sequential(
    new nn.Linear(4, 8),
    new nn.BatchNorm1d(8),
    new nn.ReLU(),
    new nn.Dropout(0.25),
    new nn.Linear(8, 3),
  );

/** A trainer of it, the same each time. */
export function trainerOf(
  options: Partial<TrainerOptions<Pair>> = {},
  model: nn.Module & { forward(x: Tensor): Tensor } = seeded(),
): Trainer<nn.Module, Pair> {
  const optimizer = new optim.Adam(model.parameters(), { lr: 1e-2 });
  return new Trainer<nn.Module, Pair>(model, { loss: F.crossEntropy, optimizer, ...options });
}

export function seeded(): nn.Sequential {
  manualSeed(7);
  return network();
}

/** Batches of 8, the last of 2. */
export const loaderOf = ([x, y]: Pair, options: object = {}): data.DataLoader<Pair> =>
  new data.DataLoader(new data.TensorDataset(x, y), { batchSize: 8, ...options }) as data.DataLoader<Pair>;

/** All weights and buffers. */
export const weightsOf = (model: nn.Module): Record<string, number[]> =>
  Object.fromEntries(Object.entries(model.stateDict()).map(([name, x]) => [name, [...x.data]]));
