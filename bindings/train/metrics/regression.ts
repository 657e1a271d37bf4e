// Metrics of numbers that are predicted.

import { onesLike } from '../../creation.ts';
import {
  abs,
  clamp,
  div,
  eq,
  mean,
  mul,
  reshape,
  square,
  stack,
  sub,
  sum,
  to,
  unbind,
  unsqueeze,
  where,
} from '../../functional/functions.ts';
import { formatShape, ShapeError } from '../../memory/errors.ts';
import { signature } from '../../signature.ts';
import type { Tensor } from '../../tensor.ts';
import { total } from './averages.ts';
import { weightOf } from './labels.ts';
import { StreamingMetric } from './streaming.ts';

/** Options of {@link MeanSquaredError}. */
export interface SquaredOptions {
  /** Whether it stays squared, or its root is taken. @defaultValue true */
  squared?: boolean;
}

/** How the figures of several columns become one. */
export type MultiOutput = 'uniformAverage' | 'rawValues' | 'varianceWeighted';

/** Options of {@link R2Score} and {@link ExplainedVariance}. */
export interface MultiOutputOptions<M extends MultiOutput> {
  /**
   * Of targets of several columns: `'uniformAverage'`, the mean of their figures; `'rawValues'`, a figure for each;
   * `'varianceWeighted'`, the mean by their variances.
   * @defaultValue 'uniformAverage'
   */
  multioutput?: M;
}

/** A number, or one for each column. */
export type PerOutput<M extends MultiOutput> = M extends 'rawValues' ? number[] : number;

/** Both in f32 and in the shape of the target. @throws ShapeError */
function numbers(output: Tensor, target: Tensor): [Tensor, Tensor] {
  const plain = (x: Tensor): readonly number[] => x.sizes.filter((size) => size !== 1);
  if (plain(output).join() !== plain(target).join())
    throw new ShapeError(
      `update: expected outputs of the shape of the targets, got ${formatShape(output.sizes)} and ${formatShape(target.sizes)}`,
    );
  return [reshape(to(output, 'f32'), target.shape), to(target, 'f32')];
}

/** A mean of what each number costs. */
abstract class MeanCost extends StreamingMetric<number> {
  /** @internal */
  protected abstract cost(error: Tensor, target: Tensor): Tensor;

  /** @internal */
  protected add(output: Tensor, given: Tensor, sampleWeight: Tensor | null): void {
    const [y, target] = numbers(output, given);
    const cost = this.cost(sub(y, target), target);
    const weight = weightOf(sampleWeight, given) ?? onesLike(given, { dtype: 'f32' });
    this.sum('cost', [2]).add(stack([sum(sampleWeight ? mul(cost, weight) : cost), sum(weight)]));
  }

  /** @internal */
  protected result(): number {
    const [cost = Number.NaN, count = 0] = this.read('cost');
    return cost / count;
  }
}

const takesAbsolute = signature('MeanAbsoluteError()');

/** The mean distance from targets (`mean_absolute_error`). */
export class MeanAbsoluteError extends MeanCost {
  constructor(...args: []) {
    takesAbsolute.parse(args);
    super();
  }

  /** @internal */
  protected cost(error: Tensor): Tensor {
    return abs(error);
  }
}

const takesSquared = signature('MeanSquaredError(squared: bool = true)');

/** The mean squared distance from targets (`mean_squared_error`), or its root, RMSE, with `{ squared: false }`. */
export class MeanSquaredError extends MeanCost {
  readonly #squared: boolean;

  constructor(options?: SquaredOptions);
  constructor(...args: unknown[]) {
    const [squared] = takesSquared.parse(args) as [boolean];
    super();
    this.#squared = squared;
  }

  /** @internal */
  protected cost(error: Tensor): Tensor {
    return square(error);
  }

  /** @internal */
  protected override result(): number {
    const mean = super.result();
    return this.#squared ? mean : Math.sqrt(mean);
  }
}

const takesPercentage = signature('MeanAbsolutePercentageError()');

/**
 * The mean distance as a share of the target (`mean_absolute_percentage_error`), which is taken as at least 1.17e-6.
 */
export class MeanAbsolutePercentageError extends MeanCost {
  constructor(...args: []) {
    takesPercentage.parse(args);
    super();
  }

  /** @internal */
  protected cost(error: Tensor, target: Tensor): Tensor {
    return div(abs(error), clamp(abs(target), 1.17e-6));
  }
}

/** Of one column: the weight of all, and of targets and errors the means and what they vary by, summed. */
interface Moments {
  readonly count: number;
  readonly target: { readonly mean: number; readonly spread: number };
  readonly error: { readonly mean: number; readonly spread: number };
}

/**
 * Sums of targets, of errors, and of their squares. They are taken less the mean of the first batch: the variance of
 * what is far from 0 would be lost in f32.
 */
abstract class Variances<M extends MultiOutput> extends StreamingMetric<PerOutput<M>> {
  readonly #multioutput: MultiOutput;

  constructor(multioutput: MultiOutput) {
    super();
    this.#multioutput = multioutput;
  }

  /** @internal */
  protected abstract figure(moments: Moments): number;

  /** @internal */
  protected add(output: Tensor, given: Tensor, sampleWeight: Tensor | null): void {
    const [y, target] = numbers(output, given);
    if (target.size === 0) return;
    const columns = target.ndim < 2 ? 1 : (target.sizes.at(-1) as number);
    const rows = (x: Tensor): Tensor => reshape(x, [target.size / columns, columns]);
    const heavy = weightOf(sampleWeight, given);
    const weight = heavy ? rows(heavy) : onesLike(rows(target));
    const pair = stack([rows(target), rows(sub(y, target))]);
    const sums = this.sum('sums', [5, columns]);
    const shift = this.sum('shift', [2, columns]);
    const seen = this.sum('seen', []);
    // Written once: before the first batch nothing was seen.
    const isFirst = eq(seen.now(), 0);
    shift.add(where(isFirst, mean(pair, 1), 0));
    seen.add(to(isFirst, 'f32'));
    const apart = sub(pair, unsqueeze(shift.now(), 1));
    const firsts = sum(mul(apart, weight), 1);
    const seconds = sum(mul(square(apart), weight), 1);
    sums.add(stack([sum(weight, 0), ...unbind(firsts), ...unbind(seconds)]));
  }

  /** @internal */
  protected override join(other: this): void {
    const columns = other.read('seen')[0] === 1 ? other.read('sums').length / 5 : 0;
    if (columns === 0) return;
    this.task = other.task;
    const [sums, shift] = [this.sum('sums', [5, columns]), this.sum('shift', [2, columns])];
    const [theirs, their] = [other.read('sums'), other.read('shift')];
    if (this.read('seen')[0] !== 1) shift.write(their);
    this.sum('seen', []).write(Float64Array.of(1));
    const [all, own] = [sums.read(), shift.read()];
    for (let i = 0; i < columns; i++) {
      const count = theirs[i] as number;
      for (const k of [0, 1]) {
        const by = (their[k * columns + i] as number) - (own[k * columns + i] as number);
        const [first, second] = [(1 + k) * columns + i, (3 + k) * columns + i];
        (all[second] as number) += (theirs[second] as number) + 2 * by * (theirs[first] as number) + count * by * by;
        (all[first] as number) += (theirs[first] as number) + count * by;
      }
      (all[i] as number) += count;
    }
    sums.write(all);
  }

  #columns(): Moments[] {
    const [sums, shift] = [this.read('sums'), this.read('shift')];
    const columns = sums.length / 5;
    return Array.from({ length: columns }, (_, i) => {
      const count = sums[i] as number;
      const [target, error] = [0, 1].map((k) => {
        const first = sums[(1 + k) * columns + i] as number;
        const second = sums[(3 + k) * columns + i] as number;
        return { mean: (shift[k * columns + i] as number) + first / count, spread: second - first ** 2 / count };
      }) as [Moments['target'], Moments['error']];
      return { count, target, error };
    });
  }

  /** @internal */
  protected result(): PerOutput<M> {
    const columns = this.#columns();
    const figures = columns.map((each) => this.figure(each));
    if (this.#multioutput === 'rawValues') return figures as PerOutput<M>;
    const weights = columns.map(({ target }) => (this.#multioutput === 'uniformAverage' ? 1 : target.spread));
    return (total(figures.map((x, i) => x * (weights[i] as number))) / total(weights)) as PerOutput<M>;
  }
}

/** 1 − a / b, as scikit-learn has it where all targets are alike: 1 for no error at all, else 0. */
const explained = (error: number, all: number): number => (all > 0 ? 1 - error / all : error > 0 ? 0 : 1);

const OUTPUTS = "multioutput: 'uniformAverage'|'rawValues'|'varianceWeighted' = 'uniformAverage'";
const takesR2 = signature(`R2Score(*, ${OUTPUTS})`);

/** The share of the variance of targets that errors leave out, R² (`r2_score`). */
export class R2Score<M extends MultiOutput = 'uniformAverage'> extends Variances<M> {
  constructor(options?: MultiOutputOptions<M>);
  constructor(...args: unknown[]) {
    super(takesR2.parse(args)[0] as MultiOutput);
  }

  /** @internal */
  protected figure({ count, target, error }: Moments): number {
    return explained(error.spread + count * error.mean ** 2, target.spread);
  }
}

const takesExplained = signature(`ExplainedVariance(*, ${OUTPUTS})`);

/** R² of errors less their mean (`explained_variance_score`). */
export class ExplainedVariance<M extends MultiOutput = 'uniformAverage'> extends Variances<M> {
  constructor(options?: MultiOutputOptions<M>);
  constructor(...args: unknown[]) {
    super(takesExplained.parse(args)[0] as MultiOutput);
  }

  /** @internal */
  protected figure({ target, error }: Moments): number {
    return explained(error.spread, target.spread);
  }
}
