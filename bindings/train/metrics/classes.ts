// Metrics of classifications that follow from how often each class is there, is predicted, and is both.

import { onesLike } from '../../creation.ts';
import {
  add,
  eq,
  expand,
  gather,
  gt,
  logicalAnd,
  lt,
  mul,
  slice,
  stack,
  sum,
  to,
  unsqueeze,
  where,
} from '../../functional/functions.ts';
import { iota } from '../../functional/places.ts';
import { ArgumentError } from '../../memory/errors.ts';
import { type Signature, signature } from '../../signature.ts';
import type { Tensor } from '../../tensor.ts';
import { AVERAGES, type Average, type Averaged, meanOf, ratio, total } from './averages.ts';
import {
  type Batch,
  type ClassSettings,
  classOf,
  classSettings,
  counts,
  labelsOf,
  readBatch,
  THRESHOLD,
  type ThresholdOptions,
} from './labels.ts';
import { StreamingMetric } from './streaming.ts';

/** Options of metrics that are averaged over classes. */
export interface AveragedOptions<A extends Average> extends ThresholdOptions {
  /** How figures of classes become one: see {@link Average}. @defaultValue 'macro' */
  average?: A;
}

/** Options of {@link Accuracy}. */
export interface AccuracyOptions<A extends Average> extends ThresholdOptions {
  /** How figures of classes become one: see {@link Average}. @defaultValue 'micro' */
  average?: A;
  /** Multiclass: how many of the most likely classes the target may be among. @defaultValue 1 */
  topK?: number;
}

/** Options of {@link FBetaScore}. */
export interface FBetaOptions<A extends Average> extends AveragedOptions<A> {
  /** How much more recall counts than precision. @defaultValue 1 */
  beta?: number;
}

/** How often a class is predicted and there, predicted, there, and how many examples there are in all. */
interface Counts {
  readonly hit: number;
  readonly predicted: number;
  readonly actual: number;
  readonly all: number;
}

/** A numerator and a denominator, of which a figure is the quotient. */
type Fraction = readonly [number, number];

const takes = (name: string, more = '', average: Average = 'macro'): Signature =>
  signature(`${name}(${THRESHOLD}, average: ${AVERAGES} = '${average}'${more})`);

/** Where the target is among the `k` most likely classes of its row; of equal scores the first comes first. */
function isAmong({ scores, target, classes }: Batch, k: number): Tensor {
  const x = scores as Tensor;
  const at = unsqueeze(target, 1);
  const own = gather(x, 1, at);
  const before = logicalAnd(eq(x, own), lt(iota(classes, x), at));
  const better = sum(add(to(gt(x, own), 'f32'), to(before, 'f32')), 1);
  return lt(better, k);
}

/** Counts classes. Of binary and multilabel tasks, each label is one. */
abstract class ClassCounts<V> extends StreamingMetric<V> {
  /** @internal */
  protected readonly settings: ClassSettings;
  readonly #threshold: number;
  readonly #logits: boolean | null;
  readonly #topK: number;

  constructor(op: string, values: readonly unknown[], topK = 1) {
    super();
    this.settings = classSettings(op, values);
    [this.#threshold, this.#logits] = values.slice(3) as [number, boolean | null];
    this.#topK = topK;
    if (topK < 1) throw new ArgumentError(`${op}: expected topK >= 1, got ${topK}`);
  }

  /** @internal */
  protected add(output: Tensor, given: Tensor, sampleWeight: Tensor | null): void {
    const batch = readBatch(output, given, sampleWeight, this.settings);
    const { classes, target, weight } = batch;
    this.task = batch.task;
    let rows: Tensor[];
    if (batch.task === 'multiclass') {
      let chosen = classOf(batch);
      if (this.#topK > 1 && batch.scores) chosen = where(isAmong(batch, this.#topK), target, chosen);
      const hits = where(eq(chosen, target), target, classes);
      const found = slice(counts(hits, classes + 1, weight), 0, 0, classes);
      const actual = counts(target, classes, weight);
      rows = [found, counts(chosen, classes, weight), actual, expand(sum(actual), classes)];
    } else {
      const chosen = labelsOf(batch, this.#threshold, this.#logits);
      const weighted = (x: Tensor): Tensor => sum(weight ? mul(x, weight) : x, 0);
      rows = [mul(chosen, target), chosen, target, onesLike(target)].map(weighted);
    }
    this.sum('counts', [4, classes]).add(stack(rows));
  }

  /** Of each class; none before the first batch. @internal */
  protected counts(): Counts[] {
    const sums = this.read('counts');
    const classes = sums.length / 4;
    return Array.from({ length: classes }, (_, i) => {
      const [hit, predicted, actual, all] = [0, 1, 2, 3].map((row) => sums[row * classes + i]) as never as [
        number,
        number,
        number,
        number,
      ];
      return { hit, predicted, actual, all };
    });
  }
}

/** A quotient of counts, averaged over classes. */
abstract class Quotient<A extends Average> extends ClassCounts<Averaged<A>> {
  readonly #average: Average;

  constructor(op: string, values: readonly unknown[], topK?: number) {
    super(op, values, topK);
    this.#average = values[5] as Average;
  }

  /** @internal */
  protected abstract fraction(counts: Counts): Fraction;

  /** @internal */
  protected result(): Averaged<A> {
    const classes = this.counts();
    const fractions = classes.map((each) => this.fraction(each));
    if (classes.length === 0 || (classes[0] as Counts).all === 0)
      return (this.#average === 'none' ? [] : Number.NaN) as Averaged<A>;
    if (this.#average === 'micro')
      return ratio(total(fractions.map(([a]) => a)), total(fractions.map(([, b]) => b))) as Averaged<A>;
    const present = (i: number): boolean => this.isPresent(classes[i] as Counts);
    const weights = classes.map(({ actual }) => actual);
    return meanOf(
      fractions.map(([a, b]) => ratio(a, b)),
      this.#average,
      weights,
      present,
    ) as Averaged<A>;
  }

  /** Whether a class counts for the mean over classes: labels always do. @internal */
  protected isPresent({ predicted, actual }: Counts): boolean {
    return this.task !== 'multiclass' || predicted + actual > 0;
  }
}

const takesAccuracy = takes('Accuracy', ', topK: int = 1', 'micro');

/**
 * The share of examples that are right (torchmetrics' `Accuracy`, scikit-learn's `accuracy_score` and
 * `top_k_accuracy_score`); of several labels, that of labels. By class it is the recall.
 */
export class Accuracy<A extends Average = 'micro'> extends Quotient<A> {
  constructor(options?: AccuracyOptions<A>);
  constructor(...args: unknown[]) {
    const values = takesAccuracy.parse(args);
    super('Accuracy', values, values[6] as number);
  }

  /** @internal */
  protected fraction({ hit, predicted, actual, all }: Counts): Fraction {
    return this.task === 'multiclass' ? [hit, actual] : [all - predicted - actual + 2 * hit, all];
  }
}

const takesPrecision = takes('Precision');

/** The share of predictions of a class that are right (`precision_score`); 0 where there are none. */
export class Precision<A extends Average = 'macro'> extends Quotient<A> {
  constructor(options?: AveragedOptions<A>);
  constructor(...args: unknown[]) {
    super('Precision', takesPrecision.parse(args));
  }

  /** @internal */
  protected fraction({ hit, predicted }: Counts): Fraction {
    return [hit, predicted];
  }
}

const takesRecall = takes('Recall');

/** The share of a class that is predicted (`recall_score`); 0 where there is none of it. */
export class Recall<A extends Average = 'macro'> extends Quotient<A> {
  constructor(options?: AveragedOptions<A>);
  constructor(...args: unknown[]) {
    super('Recall', takesRecall.parse(args));
  }

  /** @internal */
  protected fraction({ hit, actual }: Counts): Fraction {
    return [hit, actual];
  }
}

const takesSpecificity = takes('Specificity');

/** The share of what is not of a class that is not taken for it either: the recall of the rest. */
export class Specificity<A extends Average = 'macro'> extends Quotient<A> {
  constructor(options?: AveragedOptions<A>);
  constructor(...args: unknown[]) {
    super('Specificity', takesSpecificity.parse(args));
  }

  /** @internal */
  protected fraction({ hit, predicted, actual, all }: Counts): Fraction {
    return [all - predicted - actual + hit, all - actual];
  }
}

const takesFBeta = takes('FBetaScore', ', beta: number = 1');

/** The harmonic mean of precision and recall, which counts `beta` times as much (`fbeta_score`). */
export class FBetaScore<A extends Average = 'macro'> extends Quotient<A> {
  readonly #beta: number;

  constructor(options?: FBetaOptions<A>);
  constructor(...args: unknown[]) {
    const values = takesFBeta.parse(args);
    super('FBetaScore', values);
    this.#beta = (values[6] as number) ** 2;
    if (!(this.#beta > 0)) throw new ArgumentError(`FBetaScore: expected beta > 0, got ${values[6]}`);
  }

  /** @internal */
  protected fraction({ hit, predicted, actual }: Counts): Fraction {
    return [(1 + this.#beta) * hit, this.#beta * actual + predicted];
  }
}

const takesF1 = takes('F1Score');

/** The harmonic mean of precision and recall (`f1_score`), which is the Dice coefficient of two sets as well. */
export class F1Score<A extends Average = 'macro'> extends Quotient<A> {
  constructor(options?: AveragedOptions<A>);
  constructor(...args: unknown[]) {
    super('F1Score', takesF1.parse(args));
  }

  /** @internal */
  protected fraction({ hit, predicted, actual }: Counts): Fraction {
    return [2 * hit, predicted + actual];
  }
}

const takesDice = takes('DiceScore');

/** Twice what predictions and targets share, by the size of both: {@link F1Score} by the name that images know. */
export class DiceScore<A extends Average = 'macro'> extends Quotient<A> {
  constructor(options?: AveragedOptions<A>);
  constructor(...args: unknown[]) {
    super('DiceScore', takesDice.parse(args));
  }

  /** @internal */
  protected fraction({ hit, predicted, actual }: Counts): Fraction {
    return [2 * hit, predicted + actual];
  }
}

const takesJaccard = takes('JaccardIndex');

/** What predictions and targets share, by all that is in either: intersection over union (`jaccard_score`). */
export class JaccardIndex<A extends Average = 'macro'> extends Quotient<A> {
  constructor(options?: AveragedOptions<A>);
  constructor(...args: unknown[]) {
    super('JaccardIndex', takesJaccard.parse(args));
  }

  /** @internal */
  protected fraction({ hit, predicted, actual }: Counts): Fraction {
    return [hit, predicted + actual - hit];
  }
}

const takesMatthews = signature(`MatthewsCorrCoef(${THRESHOLD})`);

/**
 * The correlation of predictions and targets, from −1 to 1 (`matthews_corrcoef`); 0 where either is always the same.
 * Labels count all together.
 */
export class MatthewsCorrCoef extends ClassCounts<number> {
  constructor(options?: ThresholdOptions);
  constructor(...args: unknown[]) {
    super('MatthewsCorrCoef', takesMatthews.parse(args));
  }

  /** @internal */
  protected result(): number {
    let classes = this.counts();
    if (classes.length === 0) return Number.NaN;
    if (this.task !== 'multiclass') {
      const of = (key: keyof Counts): number => total(classes.map((each) => each[key]));
      const [hit, predicted, actual, all] = [of('hit'), of('predicted'), of('actual'), of('all')];
      const none = { hit: all - predicted - actual + hit, predicted: all - predicted, actual: all - actual, all };
      classes = [{ hit, predicted, actual, all }, none];
    }
    const all = total(classes.map(({ actual }) => actual));
    const sum = (fn: (each: Counts) => number): number => total(classes.map(fn));
    const both = all * sum(({ hit }) => hit) - sum(({ predicted, actual }) => predicted * actual);
    const spread = (key: 'predicted' | 'actual'): number => all * all - sum((each) => each[key] ** 2);
    return all === 0 ? Number.NaN : ratio(both, Math.sqrt(spread('predicted') * spread('actual')));
  }
}
