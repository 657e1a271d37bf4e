// How good a model is on some batches: its loss, and its skill beyond knowing nothing of the input.
import { withoutTape } from '../autograd.ts';
import * as F from '../functional/functions.ts';
import { oneHot } from '../functional/one-hot.ts';
import type { Tensor } from '../tensor.ts';
import type { Patient } from './patient.ts';
import { type Form, firstOf, lossOf } from './probe.ts';

export type Batch = readonly [x: Tensor, y: Tensor];

/** What an output is for, as the loss says. */
export type Task = 'classes' | 'binary' | 'numbers';

/** @param core of the loss @param columns of the output */
export function taskOf(core: string, columns: number, target: Tensor | undefined): Task {
  if (core === 'crossEntropy' || core === 'nll') return 'classes';
  if (core.startsWith('bce')) return 'binary';
  // A loss of the program's own.
  return target !== undefined && target.dtype !== 'f32' && columns > 1 ? 'classes' : 'numbers';
}

export interface Score {
  readonly loss: number;
  /** 0: as good as the answer that is right most often, or the mean; 1: always right. */
  readonly skill: number;
  /** Accuracy; NaN for numbers. */
  readonly accuracy: number;
  /** The share of the most frequent class. */
  readonly majority: number;
  /** The least share of a class that is recognised; NaN for numbers. */
  readonly worst: number;
}

const NONE: Score = { loss: Number.NaN, skill: Number.NaN, accuracy: Number.NaN, majority: 0, worst: Number.NaN };

/** Counts of classes. */
export const countsOf = (classes: Tensor, count: number): number[] => [
  ...F.sum(oneHot(classes, count).to('f32'), 0).data,
];

/** Of class numbers that were said and that are right. */
function scoreClasses(said: Tensor, right: Tensor, loss: number): Score {
  const count = Math.max(F.max(said.to('f32')).item(), F.max(right.to('f32')).item()) + 1;
  if (!(count <= 100_000) || F.min(right.to('f32')).item() < 0) return { ...NONE, loss };
  const hits = F.eq(said, right).to('f32');
  const accuracy = F.mean(hits).item();
  const table = oneHot(right, count).to('f32');
  const counts = [...F.sum(table, 0).data];
  const found = [...F.sum(F.mul(table, F.unsqueeze(hits, 1)), 0).data];
  const majority = Math.max(...counts) / right.size;
  const recalls = counts.flatMap((n, i) => (n > 0 ? [(found[i] as number) / n] : []));
  return {
    loss,
    accuracy,
    majority,
    skill: majority < 1 ? (accuracy - majority) / (1 - majority) : 0,
    worst: Math.min(...recalls),
  };
}

/** How well outputs, all in one, fit targets. */
export function scoreOf(output: Tensor, target: Tensor, task: Task, loss: number): Score {
  const wide = output.ndim > 1 && output.size > target.size;
  if (task === 'classes' && wide) {
    // Classes are in the last dim, or in the second.
    const said = [-1, 1].map((dim) => F.reshape(F.argmax(output, dim), [-1])).find(({ size }) => size === target.size);
    return said ? scoreClasses(said, F.reshape(target.to('i32'), [-1]), loss) : { ...NONE, loss };
  }
  if (output.size !== target.size) return { ...NONE, loss };
  const [o, t] = [F.reshape(output, [-1]), F.reshape(target.to('f32'), [-1])];
  if (task === 'binary') {
    const border = F.min(o).item() >= 0 && F.max(o).item() <= 1 ? 0.5 : 0;
    return scoreClasses(F.gt(o, border).to('i32'), F.gt(t, 0.5).to('i32'), loss);
  }
  const spread = F.mean(F.square(F.sub(t, F.mean(t)))).item();
  const error = F.mean(F.square(F.sub(o, t))).item();
  return { ...NONE, loss, skill: spread > 0 ? 1 - error / spread : Number.NaN, majority: 0 };
}

/** How good the model is in evaluation mode; null where it cannot be called like that. */
export function evaluate(
  patient: Patient,
  loss: unknown,
  form: Form | null,
  task: Task,
  batches: readonly Batch[],
): Score | null {
  try {
    return patient.aside(() =>
      withoutTape(() => {
        patient.model.eval();
        const outputs: Tensor[] = [];
        const targets: Tensor[] = [];
        let [sum, rows] = [0, 0];
        for (const [x, y] of batches) {
          const output = firstOf(patient.run(x)) as Tensor;
          const n = x.sizes[0] as number;
          const value = form ? lossOf(loss, output, y, form)?.item() : undefined;
          sum += (value ?? Number.NaN) * n;
          rows += n;
          outputs.push(output);
          targets.push(y);
        }
        if (rows === 0) return null;
        return scoreOf(F.cat(outputs), F.cat(targets), task, sum / rows);
      }),
    );
  } catch {
    return null;
  }
}
