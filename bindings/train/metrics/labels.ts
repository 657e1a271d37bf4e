// How outputs and targets of a classification are read: what kind of task it is, and all of it as rows.
import { familyOps } from '../../autograd.ts';
import { ones, zeros } from '../../creation.ts';
import {
  abs,
  add,
  amax,
  argmax,
  expand,
  gt,
  mul,
  ne,
  permute,
  reshape,
  scatterAdd,
  sigmoid,
  sub,
  sum,
  to,
  unsqueeze,
  where,
} from '../../functional/functions.ts';
import { ArgumentError, DtypeError, formatShape, ShapeError } from '../../memory/errors.ts';
import { scatterRows } from '../../ops/scatter.ts';
import { sameShape } from '../../ops/shapes.ts';
import type { Tensor } from '../../tensor.ts';

const own = familyOps(scatterRows);

/** `'binary'`: one class or not; `'multiclass'`: one of several; `'multilabel'`: any of several. */
export type Task = 'binary' | 'multiclass' | 'multilabel';

/** Options of all metrics of classifications. */
export interface ClassOptions {
  /**
   * The kind of classification; null: multiclass where outputs have a dim more than targets, binary where they are one
   * number for each example, else multilabel.
   * @defaultValue null
   */
  task?: Task | null;
  /**
   * How many classes there are, which has to be said where outputs are classes; null: as outputs say.
   * @defaultValue null
   */
  numClasses?: number | null;
  /** A target that does not count; null: none. @defaultValue null */
  ignoreIndex?: number | null;
}

/** Options of metrics that ask whether a label is there or not. */
export interface ThresholdOptions extends ClassOptions {
  /** Labels with a higher score are there, where a task is binary or multilabel. @defaultValue 0.5 */
  threshold?: number;
  /**
   * Whether outputs are logits. null: those of a batch are where any is below 0 or above 1 or, of one class of several,
   * where those of a row do not sum to 1; say it where a small batch may have none that is.
   * @defaultValue null
   */
  logits?: boolean | null;
}

/** The options of all, as declarations have them. */
export const CLASSES =
  "*, task: 'binary'|'multiclass'|'multilabel'|null = null, numClasses: int|null = null, ignoreIndex: int|null = null";

/** The options of what asks whether labels are there, as declarations have them. */
export const THRESHOLD = `${CLASSES}, threshold: number = 0.5, logits: bool|null = null`;

/** What the values of the options above are, in their order. */
export interface ClassSettings {
  readonly task: Task | null;
  readonly numClasses: number | null;
  readonly ignoreIndex: number | null;
}

/** @throws ArgumentError for a number of classes that there cannot be */
export function classSettings(op: string, [task, numClasses, ignoreIndex]: readonly unknown[]): ClassSettings {
  if (numClasses !== null && (numClasses as number) < 1)
    throw new ArgumentError(`${op}: expected numClasses >= 1, got ${numClasses}`);
  return { task, numClasses, ignoreIndex } as ClassSettings;
}

/** A batch as rows. */
export interface Batch {
  readonly task: Task;
  readonly classes: number;
  /** f32 [rows, classes]; null where outputs are classes. */
  readonly scores: Tensor | null;
  /** i32 [rows] of multiclass outputs that are classes. */
  readonly chosen: Tensor | null;
  /** Multiclass: i32 [rows]; else f32 [rows, classes] of 0 and 1. */
  readonly target: Tensor;
  /** f32 of the shape of the target; null: all count 1. */
  readonly weight: Tensor | null;
}

function taskOf(output: Tensor, target: Tensor, { task, numClasses }: ClassSettings): Task {
  if (task) return task;
  if (output.size === target.size && (output.ndim < 2 || output.size === output.sizes[0])) {
    if (output.dtype === 'f32') return 'binary';
    if (numClasses !== null) return numClasses > 1 ? 'multiclass' : 'binary';
    throw new ArgumentError(
      'update: expected numClasses or a task for outputs that are classes, got neither; give one of them to the metric',
    );
  }
  if (output.ndim === target.ndim + 1) return 'multiclass';
  return output.dtype === 'f32' ? 'multilabel' : 'multiclass';
}

const mismatch = (output: Tensor, target: Tensor, what: string): ShapeError =>
  new ShapeError(
    `update: expected ${what}, got outputs ${formatShape(output.sizes)} and targets ${formatShape(target.sizes)}`,
  );

/** x with dim `from` moved to the end. */
function classesLast(x: Tensor, from: number): Tensor {
  if (from === x.ndim - 1) return x;
  return permute(x, [...x.sizes.keys()].filter((d) => d !== from).concat(from));
}

/** Scores of several classes as [rows, classes]: the classes stand in dim 1, as PyTorch's losses have them, or last. */
function rowsOf(output: Tensor, target: Tensor): Tensor {
  const dim = [1, output.ndim - 1].find((d) => sameShape(output.sizes.toSpliced(d, 1), target.sizes));
  if (dim === undefined || output.ndim < 2)
    throw mismatch(output, target, 'scores of classes along dim 1 or the last one, and targets of the other dims');
  const last = classesLast(output, dim);
  return reshape(last, [target.size, output.sizes[dim] as number]);
}

/** A weight for each of the examples, or for each target, as one for each of `shape`. */
export function weightOf(weight: Tensor | null, target: Tensor): Tensor | null {
  if (!weight) return null;
  if (weight.dtype !== 'f32')
    throw new DtypeError(`update: expected weights of dtype f32, got ${weight.dtype}; call to('f32')`);
  const fits = weight.sizes.every((size, d) => size === target.sizes[d]);
  if (!fits)
    throw new ShapeError(
      `update: expected a weight for each of ${formatShape(target.sizes)}, got ${formatShape(weight.sizes)}`,
    );
  let wide = weight;
  while (wide.ndim < target.ndim) wide = unsqueeze(wide, wide.ndim);
  return expand(wide, target.shape);
}

const expectClasses = (target: Tensor): void => {
  if (target.dtype === 'f32')
    throw new DtypeError("update: expected classes as targets, i32 or u8, got f32; call to('i32')");
};

/** @throws ShapeError, DtypeError, ArgumentError where they do not fit one another */
export function readBatch(output: Tensor, given: Tensor, weight: Tensor | null, settings: ClassSettings): Batch {
  const task = taskOf(output, given, settings);
  let target = given.dtype === 'u8' ? to(given, 'i32') : given;
  const heavy = weightOf(weight, target);
  const { ignoreIndex } = settings;
  const counted = ignoreIndex === null ? null : ne(target, ignoreIndex);
  const mask = counted && to(counted, 'f32');
  const each = mask && heavy ? mul(mask, heavy) : (mask ?? heavy);
  if (task === 'multiclass') {
    expectClasses(target);
    if (counted) target = where(counted, target, 0);
    const flat = (x: Tensor): Tensor => reshape(x, [given.size]);
    const rows = { target: flat(target), weight: each && flat(each) };
    if (output.dtype === 'f32') {
      const scores = rowsOf(output, given);
      return { task, classes: checked(scores.sizes[1] as number, settings), scores, chosen: null, ...rows };
    }
    if (settings.numClasses === null || !sameShape(output.sizes, given.sizes))
      throw mismatch(output, given, 'classes of the shape of the targets, and numClasses');
    return { task, classes: settings.numClasses, scores: null, chosen: flat(to(output, 'i32')), ...rows };
  }
  if (output.size !== given.size || (task === 'multilabel' && !sameShape(output.sizes, given.sizes)))
    throw mismatch(output, given, task === 'binary' ? 'one score for each target' : 'a score for each label');
  const labels = task === 'binary' ? 1 : (output.sizes[1] ?? 1);
  const rows = (x: Tensor): Tensor =>
    reshape(labels === 1 ? x : classesLast(x, 1), [labels === 0 ? 0 : x.size / labels, labels]);
  const positive = to(gt(target, target.dtype === 'f32' ? 0.5 : 0), 'f32');
  const scores = rows(to(output, 'f32'));
  const classes = task === 'binary' ? 1 : checked(labels, settings);
  return { task, classes, scores, chosen: null, target: rows(positive), weight: each && rows(each) };
}

function checked(found: number, { numClasses }: ClassSettings): number {
  if (numClasses !== null && numClasses !== found)
    throw new ShapeError(`update: expected scores of ${numClasses} classes, got ${found}; change numClasses`);
  return found;
}

/** The class of each row that is most likely, the first of equal ones: i32 [rows]. */
export const classOf = ({ scores, chosen }: Batch): Tensor => chosen ?? argmax(scores as Tensor, 1);

/**
 * Scores as they are, or, where they are logits, by `fn`. Where nobody said so, those of a batch are where any of them
 * lies outside of 0 … 1 or, of one class of several, where they do not sum to 1.
 * @param as what to give for scores that are no logits
 */
export function unlessLogits(
  { scores: given, task }: Batch,
  logits: boolean | null,
  fn: (x: Tensor) => Tensor,
  as = given as Tensor,
): Tensor {
  const scores = given as Tensor;
  if (logits !== null || scores.size === 0) return logits ? fn(scores) : as;
  let far = to(gt(mul(scores, scores), scores), 'f32');
  if (task === 'multiclass') far = add(far, to(gt(abs(sub(sum(scores, 1, true), 1)), 0.01), 'f32'));
  return where(gt(amax(far), 0), fn(scores), as);
}

/** 1 where a label of a binary or multilabel task is taken to be there, else 0: f32 [rows, labels]. */
export const labelsOf = (batch: Batch, threshold: number, logits: boolean | null): Tensor =>
  to(gt(unlessLogits(batch, logits, sigmoid), threshold), 'f32');

/** How often each of 0 … bins − 1 is in a vector of indices, or the sum of their weights: f32 [bins]. */
export function counts(index: Tensor, bins: number, weight: Tensor | null): Tensor {
  if (weight) return scatterAdd(zeros([bins]), 0, index, weight);
  const src = ones([index.size], { dtype: 'i32' });
  const x = zeros([bins], { dtype: 'i32' });
  return to(own.scatter({ x, index, src }, { dim: 0, how: 'sum' }), 'f32');
}
