// Loops as people write them: eager, or compiled, over batches of a table, with a look at held-out data between.
import { compile, data, type nn, noGrad, type optim, scope, type Tensor } from 'retrograd';
import type { Batches, Criterion, Run, Stepped } from '../program.ts';
import type { Split, Table } from './data.ts';

export type Net = nn.Module & { forward(x: Tensor): Tensor };
export type Score = (model: Net, table: Table) => number;

export interface Plan {
  readonly model: Net;
  readonly optimizer: optim.Optimizer<object>;
  readonly loss: Criterion;
  readonly data: Split;
  readonly score: Score;
  /** Rows of a batch. @defaultValue 64 */
  readonly batch?: number;
  /** @defaultValue 150 */
  readonly steps?: number;
  /** @defaultValue false */
  readonly compiled?: boolean;
  /** What a turn of the loop does, where it is not as usual. @returns the loss and the output */
  readonly update?: (x: Tensor, y: Tensor, i: number) => readonly [loss: Tensor, output: Tensor];
  /** What stands at the start of a turn. */
  readonly before?: (i: number) => void;
  /** Whether the loop hands only the loss to the doctor. @defaultValue false */
  readonly lossOnly?: boolean;
  /** Whether the doctor is told about data. @defaultValue true */
  readonly tellsData?: boolean;
}

export const lossOf = (loss: Criterion, output: Tensor, target: Tensor): Tensor =>
  typeof loss === 'function' ? loss(output, target) : loss.forward(output, target);

/** The rows of a table again and again, each pass in a new order. */
export function turns({ x, y }: Table, batch: number): () => [Tensor, Tensor] {
  const set = new data.TensorDataset(x, y);
  const order = Int32Array.from({ length: set.length }, (_, i) => i);
  let at = set.length;
  let state = 99;
  const next = (): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return state / 2 ** 32;
  };
  return () => {
    if (at + batch > set.length) {
      at = 0;
      for (let i = set.length - 1; i > 0; i--) {
        const j = Math.floor(next() * (i + 1));
        [order[i], order[j]] = [order[j] as number, order[i] as number];
      }
    }
    const indices = order.slice(at, at + batch);
    at += batch;
    return set.batch(indices);
  };
}

export const loaderOf = ({ x, y }: Table, batchSize: number, shuffle = false): Batches =>
  new data.DataLoader(new data.TensorDataset(x, y), { batchSize, shuffle });

/** A hand-written loop over a table. */
export function supervised(plan: Plan): Run {
  const { model, optimizer, loss, data: split, batch = 64, steps = 150 } = plan;
  const turn = turns(split.train, Math.min(batch, split.train.x.shape[0] as number));
  const usual = (x: Tensor, y: Tensor): readonly [Tensor, Tensor] => {
    optimizer.zeroGrad();
    const output = model.forward(x);
    const value = lossOf(loss, output, y);
    value.backward();
    optimizer.step();
    return [value.detach(), output.detach()];
  };
  const update = plan.update ?? usual;
  const run = plan.compiled ? compile((x: Tensor, y: Tensor) => update(x, y, 0)) : update;
  return {
    model,
    optimizer,
    loss,
    steps,
    ...(plan.tellsData !== false && {
      train: loaderOf(split.train, batch, true),
      validation: loaderOf(split.validation, batch),
    }),
    step(i): Stepped {
      plan.before?.(i);
      const [input, target] = turn();
      const [value, output] = run(input, target, i);
      return plan.lossOnly ? { loss: value } : { loss: value, input, target, output };
    },
    score: () => judged(model, () => plan.score(model, split.test)),
  };
}

/** Judges a model as it is used later: in evaluation mode. */
export function judged(model: nn.Module, score: () => number): number {
  const modes = model.modules().map((module) => [module, module.training] as const);
  model.eval();
  try {
    return noGrad(() => scope(score));
  } finally {
    for (const [module, training] of modes) module.training = training;
  }
}

/** The share of rows whose greatest output is that of their class. */
export const accuracy: Score = (model, { x, y }) => model.forward(x).argmax(-1).eq(y).to('f32').mean().item();
/** The share of rows on the right side of 0, or of a half for probabilities. */
export const binaryAccuracy =
  (threshold = 0): Score =>
  (model, { x, y }) =>
    model.forward(x).gt(threshold).to('f32').eq(y).to('f32').mean().item();
/** Mean of the shares of each class's rows that are found. */
export const balancedAccuracy =
  (threshold = 0): Score =>
  (model, { x, y }) => {
    const said = model.forward(x).gt(threshold).to('f32');
    const ones = said.mul(y).sum().item() / y.sum().item();
    const zeros = said.mul(-1).add(1).mul(y.mul(-1).add(1)).sum().item() / y.mul(-1).add(1).sum().item();
    return (ones + zeros) / 2;
  };
/** The share of the targets' variance that is explained. */
export const r2: Score = (model, { x, y }) => {
  const error = model.forward(x).sub(y).square().mean().item();
  return 1 - error / y.sub(y.mean()).square().mean().item();
};
