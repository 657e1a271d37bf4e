// Experiments: what a training would have come to by another learning rate, and what a small network makes of the data.

import { withoutTape } from '../autograd.ts';
import { backward } from '../backward.ts';
import { tensor } from '../creation.ts';
import * as F from '../functional/functions.ts';
import { crossEntropy, mseLoss } from '../functional/index.ts';
import { oneHot } from '../functional/one-hot.ts';
import { Linear } from '../nn/linear.ts';
import { Adam } from '../optim/algorithms.ts';
import type { Optimizer } from '../optim/optimizer.ts';
import { getRngState, manualSeed, setRngState } from '../random.ts';
import { scope } from '../scope.ts';
import type { Tensor } from '../tensor.ts';
import { marksOf } from './calls.ts';
import { asBefore, few } from './close.ts';
import { flat, joined } from './data.ts';
import { type Batch, evaluate, scoreOf, type Task } from './evaluate.ts';
import type { Evidence } from './evidence.ts';
import { firstOf, lossOf } from './probe.ts';

const STEPS = 40;
/** Milliseconds for one trial, */
const LONGEST = 250;
/** but so many steps in any case: machines may have other things to do. */
const LEAST_STEPS = 12;

type Maker = new (groups: unknown) => Optimizer;

/** The loss after some steps from the start with learning rates times `factor`; NaN where it cannot be tried. */
export function tryRate(e: Evidence, factor: number): { loss: number; steps: number } {
  const { patient, loss, form, history, batches, task } = e;
  const { model, optimizer } = patient;
  if (!form || batches.length === 0) return { loss: Number.NaN, steps: 0 };
  const xs = e.weights.map(({ x }) => x);
  const gradients = xs.map((x) => x.grad);
  // Gradients of parameters live on beyond a scope; those of the program are not the trial's.
  const letGo = (x: Tensor, i: number): void => {
    if (x.grad !== gradients[i]) x.grad?.dispose();
    x.grad = null;
  };
  const before = { weights: history.start, buffers: history.startBuffers, rng: null };
  try {
    return asBefore(patient, before, () => {
      const groups = optimizer.paramGroups.map((group) => {
        const { lr } = group as { lr?: number };
        return { ...group, ...(lr !== undefined && { lr: lr * factor }) };
      });
      const own = new (optimizer.constructor as Maker)(groups);
      const end = performance.now() + LONGEST;
      let steps = 0;
      try {
        model.train();
        for (; steps < STEPS && (steps < LEAST_STEPS || performance.now() < end); steps++)
          scope(() => {
            const [x, y] = batches[steps % batches.length] as Batch;
            xs.forEach(letGo);
            const value = lossOf(loss, firstOf(patient.run(x)) as Tensor, y, form);
            if (value?.requiresGrad) backward(value);
            own.step();
          });
      } finally {
        own.dispose();
      }
      return { loss: evaluate(patient, loss, form, task, few(batches, 256))?.loss ?? Number.NaN, steps };
    });
  } catch {
    return { loss: Number.NaN, steps: 0 };
  } finally {
    xs.forEach((x, i) => {
      letGo(x, i);
      x.grad = gradients[i] ?? null;
    });
  }
}

/** Indices that are not too many become numbers that say which. */
function featuresOf(x: Tensor, vocabulary: number): Tensor | null {
  if (x.dtype === 'f32') return flat(x);
  const width = (x.size / (x.sizes[0] as number)) * vocabulary;
  return width <= 8192
    ? F.reshape(oneHot(F.reshape(x.to('i32'), [x.sizes[0] as number, -1]), vocabulary).to('f32'), [
        x.sizes[0] as number,
        -1,
      ])
    : null;
}

/** What a probe needs: one row a target. */
interface Table {
  readonly x: Tensor;
  readonly y: Tensor;
}

/** Each row once: batches of several epochs have them more often. */
function distinct(batches: readonly Batch[]): Batch | null {
  const all = joined(batches);
  if (!all) return null;
  const [x, y] = all;
  const seen = new Set<number>();
  const chosen: number[] = [];
  for (const [i, mark] of Array.from(marksOf(x)).entries()) {
    if (!seen.has(mark)) chosen.push(i);
    seen.add(mark);
  }
  if (chosen.length === x.sizes[0]) return all;
  const at = tensor(Int32Array.from(chosen));
  return [F.indexSelect(x, 0, at), F.indexSelect(y, 0, at)];
}

/** Rows of batches; of sequences with a target a step, those of the steps. */
export function tableOf(batches: readonly Batch[], vocabulary: number): Table | null {
  const all = distinct(batches);
  if (!all) return null;
  let [x, y] = all;
  const rows = x.sizes[0] as number;
  const perStep = y.ndim > 1 && x.ndim > 1 && y.sizes[1] === x.sizes[1] && y.size > rows && y.dtype !== 'f32';
  if (perStep) [x, y] = [F.reshape(x, [rows * (x.sizes[1] as number), -1]), F.reshape(y, [-1])];
  if (y.size !== x.sizes[0]) {
    if (y.dtype !== 'f32' || y.ndim < 2) return null;
    y = F.reshape(y, [x.sizes[0] as number, -1]);
    if ((y.sizes[1] as number) > 64) return null;
  } else y = F.reshape(y, [-1]);
  const features = featuresOf(x, vocabulary);
  if (!features) return null;
  const most = 2048;
  return (features.sizes[0] as number) > most
    ? { x: F.narrow(features, 0, 0, most), y: F.narrow(y, 0, 0, most) }
    : { x: features, y };
}

/** Steps after which a probe is held against rows that it has not seen. */
const PAUSES: readonly number[] = [20, 40, 80];

/** How well a small network that learns from `train` does on `held`: the skill of Score. */
export function probe(train: Table, held: Table, task: Task): number {
  const rng = getRngState();
  try {
    return scope(() => {
      manualSeed(1);
      const [mean, std] = [F.mean(train.x, 0), F.add(F.std(train.x, 0), 1e-5)];
      const scaled = (x: Tensor): Tensor => F.clamp(F.div(F.sub(x, mean), std), -5, 5);
      const [x, xHeld] = [scaled(train.x), scaled(held.x)];
      const whole = task !== 'numbers';
      const [yMean, yStd] = whole ? [0, 1] : [F.mean(train.y).item(), F.std(train.y).item() + 1e-12];
      const classes = whole
        ? Math.max(F.max(train.y.to('f32')).item(), F.max(held.y.to('f32')).item()) + 1
        : (train.y.sizes[1] ?? 1);
      const target = whole
        ? train.y.to('i32')
        : F.reshape(F.div(F.sub(train.y, yMean), yStd), [train.x.sizes[0] as number, -1]);
      const layers = [new Linear(x.sizes[1] as number, 48), new Linear(48, Math.max(2 * Number(whole), classes))];
      const run = (input: Tensor): Tensor =>
        (layers[1] as Linear).forward(F.tanh((layers[0] as Linear).forward(input)));
      const optimizer = new Adam(
        layers.flatMap((layer) => layer.parameters()),
        { lr: 1e-2 },
      );
      const skillOf = (): number =>
        withoutTape(() => {
          const output = run(xHeld);
          const said = whole ? output : F.add(F.mul(output, yStd), yMean);
          const right = whole ? held.y.to('i32') : F.reshape(held.y, said.sizes);
          return scoreOf(said, right, whole ? 'classes' : 'numbers', 0).skill;
        });
      let skill = Number.NEGATIVE_INFINITY;
      for (let i = 1; i <= 80; i++)
        scope(() => {
          optimizer.zeroGrad({ setToNone: false });
          const output = run(x);
          backward(whole ? crossEntropy(output, target) : mseLoss(output, target));
          optimizer.step();
          // Of noisy targets it soon learns the noise by heart.
          if (PAUSES.includes(i)) skill = Math.max(skill, skillOf());
        });
      optimizer.dispose();
      for (const layer of layers) layer.dispose();
      return skill;
    });
  } finally {
    setRngState(rng);
  }
}

/** The rows of a table, cut into two. */
export function halves({ x, y }: Table): [Table, Table] {
  const rows = x.sizes[0] as number;
  const first = Math.ceil(0.7 * rows);
  return [
    { x: F.narrow(x, 0, 0, first), y: F.narrow(y, 0, 0, first) },
    { x: F.narrow(x, 0, first, rows - first), y: F.narrow(y, 0, first, rows - first) },
  ];
}
