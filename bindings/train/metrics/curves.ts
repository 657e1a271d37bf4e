// Metrics of scores at every threshold: curves of ROC and of precision and recall, and the areas below them.
import { tensor } from '../../creation.ts';
import {
  add,
  cat,
  cumsum,
  eq,
  expand,
  indexSelect,
  mul,
  ne,
  reshape,
  select,
  sigmoid,
  slice,
  softmax,
  to,
  unsqueeze,
  where,
} from '../../functional/functions.ts';
import { iota, positionsIn } from '../../functional/places.ts';
import { bucketize } from '../../functional/search.ts';
import { sort } from '../../functional/sort.ts';
import { ArgumentError } from '../../memory/errors.ts';
import { type Signature, signature } from '../../signature.ts';
import type { Tensor } from '../../tensor.ts';
import { AVERAGES, type Average, type Averaged, meanOf } from './averages.ts';
import {
  type Batch,
  CLASSES,
  type ClassOptions,
  type ClassSettings,
  classSettings,
  counts,
  readBatch,
  type Task,
  unlessLogits,
} from './labels.ts';
import { StreamingMetric } from './streaming.ts';

/** Options of metrics of scores at every threshold. */
export interface CurveOptions extends ClassOptions {
  /**
   * null: at every score there is, for which all scores are kept; else at so many even steps from 0 to 1, or at these,
   * in ascending order, for which only counts are kept.
   * @defaultValue null
   */
  thresholds?: number | readonly number[] | null;
  /** Whether outputs are logits; see {@link ThresholdOptions.logits}. @defaultValue null */
  logits?: boolean | null;
}

/** Options of {@link AUROC} and {@link AveragePrecision}. */
export interface AreaOptions<A extends Average> extends CurveOptions {
  /** How figures of classes, each against the rest, become one: see {@link Average}. @defaultValue 'macro' */
  average?: A;
}

/** A curve of {@link ROC}. */
export interface RocCurve {
  /** The share of what is not of the class that scores at least a threshold. */
  readonly fpr: Float64Array;
  /** The share of the class that scores at least a threshold. */
  readonly tpr: Float64Array;
  /** The thresholds, from the greatest; the first is Infinity. */
  readonly thresholds: Float64Array;
}

/** A curve of {@link PrecisionRecallCurve}. */
export interface PrecisionRecall {
  /** The share of the class among what scores at least a threshold, and 1. */
  readonly precision: Float64Array;
  /** The share of the class that scores at least a threshold, and 0. */
  readonly recall: Float64Array;
  /** The thresholds, from the least. */
  readonly thresholds: Float64Array;
}

/** How much of a class, and of what is not of it, scores at least each threshold, from the greatest; at last all. */
interface Counted {
  readonly thresholds: ArrayLike<number>;
  readonly hits: Float64Array;
  readonly misses: Float64Array;
}

const CURVES = `${CLASSES}, thresholds: int|number[]|null = null, logits: bool|null = null`;

function thresholdsOf(op: string, thresholds: number | readonly number[] | null): Float32Array | null {
  if (thresholds === null) return null;
  const list =
    typeof thresholds === 'number'
      ? Float32Array.from({ length: Math.max(0, thresholds) }, (_, i) => i / (thresholds - 1))
      : Float32Array.from(thresholds);
  if (list.length < 2 || !list.every((x, i) => i === 0 || x >= (list[i - 1] as number)))
    throw new ArgumentError(`${op}: expected at least 2 thresholds in ascending order, got ${thresholds}`);
  return list;
}

/** The counts at every score there is. @param weight null: all count 1 */
function atScores(scores: Tensor, positive: Tensor, weight: Tensor | null): Counted {
  const { values, indices } = sort(scores, { descending: true });
  const inOrder = (x: Tensor): Tensor => indexSelect(x, 0, indices);
  const hits = inOrder(positive);
  const all = weight ? inOrder(weight) : null;
  const last = scores.size - 1;
  // Of equal scores, the last.
  const steps = positionsIn('compute', ne(slice(values, 0, 0, last), slice(values, 0, 1)));
  const ends = cat([steps, tensor(Int32Array.of(last))]);
  const sums = (x: Tensor): Float64Array => Float64Array.from(indexSelect(cumsum(x, 0), 0, ends).data);
  const hit = sums(all ? mul(hits, all) : to(hits, 'i32'));
  const every = all
    ? sums(mul(to(eq(hits, 0), 'f32'), all))
    : Float64Array.from(ends.data, (end, i) => end + 1 - (hit[i] as number));
  return { thresholds: indexSelect(values, 0, ends).data, hits: hit, misses: every };
}

/** The sums of `bins` from behind, without the first bin, and of all. */
function fromBehind(bins: Float64Array): Float64Array {
  let sum = 0;
  return bins.toReversed().map((x) => (sum += x));
}

abstract class Curves<V> extends StreamingMetric<V> {
  readonly #settings: ClassSettings;
  readonly #logits: boolean | null;
  readonly #thresholds: Float32Array | null;

  constructor(op: string, values: readonly unknown[]) {
    super();
    this.#settings = classSettings(op, values);
    this.#thresholds = thresholdsOf(op, values[3] as number | null);
    this.#logits = values[4] as boolean | null;
  }

  /** @internal */
  protected add(output: Tensor, given: Tensor, sampleWeight: Tensor | null): void {
    const batch = readBatch(output, given, sampleWeight, this.#settings);
    const { task, classes, scores, target, weight } = batch;
    if (!scores) throw new ArgumentError('update: expected scores as outputs, f32, got classes');
    this.task = task;
    if (!this.#thresholds) {
      this.keep('scores', scores);
      this.keep('target', target);
      if (weight) this.keep('weight', weight);
      return;
    }
    const chance = this.#chances(batch);
    const steps = this.#thresholds.length + 1;
    const positive = this.#positive(target, classes);
    const first = mul(iota(classes, scores), steps);
    const cell = add(bucketize(chance, tensor(this.#thresholds), { right: true }), first);
    // Those of the class, and behind them the others.
    const place = where(to(positive, 'u8'), cell, add(cell, classes * steps));
    const flat = (x: Tensor): Tensor => reshape(x, [x.size]);
    const each = weight && flat(task === 'multiclass' ? expand(unsqueeze(weight, 1), weight.size, classes) : weight);
    this.sum('bins', [2, classes, steps]).add(
      reshape(counts(flat(place), 2 * classes * steps, each), [2, classes, steps]),
    );
  }

  /** Scores that say how likely classes are; those of one label alone say as much as they are. */
  #chances(batch: Batch): Tensor {
    if (batch.task === 'multiclass') return unlessLogits(batch, this.#logits, (x) => softmax(x, 1));
    return this.#thresholds ? unlessLogits(batch, this.#logits, sigmoid) : (batch.scores as Tensor);
  }

  /** f32 [rows, classes] of 0 and 1. */
  #positive(target: Tensor, classes: number): Tensor {
    return this.task === 'multiclass' ? to(eq(unsqueeze(target, 1), iota(classes, target)), 'f32') : target;
  }

  /** The counts of each class, or of all together. @internal */
  protected curves(micro: boolean): Counted[] {
    return this.#thresholds ? this.#binned(this.#thresholds, micro) : this.#exact(micro);
  }

  #binned(thresholds: Float32Array, micro: boolean): Counted[] {
    const sums = this.read('bins');
    const steps = thresholds.length + 1;
    const classes = sums.length / 2 / steps;
    const bins = (half: number, i: number): Float64Array =>
      sums.slice((half * classes + i) * steps, (half * classes + i + 1) * steps);
    const descending = [...thresholds].reverse().concat(Number.NEGATIVE_INFINITY);
    const counted = (hit: Float64Array, miss: Float64Array): Counted => ({
      thresholds: descending,
      hits: fromBehind(hit),
      misses: fromBehind(miss),
    });
    const all = Array.from({ length: classes }, (_, i) => [bins(0, i), bins(1, i)] as const);
    if (!micro || all.length === 0) return all.map(([hit, miss]) => counted(hit, miss));
    const together = (half: 0 | 1): Float64Array =>
      all.map((each) => each[half]).reduce((a, b) => a.map((x, i) => x + (b[i] as number)));
    return [counted(together(0), together(1))];
  }

  #exact(micro: boolean): Counted[] {
    const scores = this.rows('scores');
    const [target, weight] = [this.rows('target') as Tensor, this.rows('weight')];
    if (!scores || scores.size === 0) return [];
    if (weight && weight.sizes[0] !== scores.sizes[0])
      throw new ArgumentError('compute: expected weights of every batch or of none, got those of some');
    const classes = scores.sizes[1] as number;
    const batch = { task: this.task as Task, classes, scores, chosen: null, target, weight };
    const chances = this.#chances(batch);
    const positive = this.#positive(target, classes);
    const wide = weight && this.task === 'multiclass' ? expand(unsqueeze(weight, 1), weight.size, classes) : weight;
    const flat = (x: Tensor): Tensor => reshape(x, [x.size]);
    if (micro) return [atScores(flat(chances), flat(positive), wide && flat(wide))];
    const column = (x: Tensor, i: number): Tensor => flat(select(x, 1, i));
    return Array.from({ length: classes }, (_, i) =>
      atScores(column(chances, i), column(positive, i), wide && column(wide, i)),
    );
  }
}

const last = (values: ArrayLike<number>): number => values[values.length - 1] ?? 0;

/** An area of each class, averaged. */
abstract class Area<A extends Average> extends Curves<Averaged<A>> {
  readonly #average: Average;

  constructor(op: string, values: readonly unknown[]) {
    super(op, values);
    this.#average = values[5] as Average;
  }

  /** @internal */
  protected abstract area(curve: Counted): number;

  /** @internal */
  protected result(): Averaged<A> {
    const curves = this.curves(this.#average === 'micro');
    const areas = curves.map((curve) => this.area(curve));
    const average = this.#average === 'micro' ? 'macro' : this.#average;
    const weights = curves.map(({ hits }) => last(hits));
    return meanOf(areas, average, weights, (i) => !Number.isNaN(areas[i])) as Averaged<A>;
  }
}

const takes = (name: string): Signature => signature(`${name}(${CURVES}, average: ${AVERAGES} = 'macro')`);
const takesAuroc = takes('AUROC');

/**
 * The area below the curve of ROC: how likely something of a class scores more than something that is not
 * (`roc_auc_score`, one against the rest). NaN for a class of which there is none, or nothing else; means leave it out.
 */
export class AUROC<A extends Average = 'macro'> extends Area<A> {
  constructor(options?: AreaOptions<A>);
  constructor(...args: unknown[]) {
    super('AUROC', takesAuroc.parse(args));
  }

  /** @internal */
  protected area({ hits, misses }: Counted): number {
    let [sum, hit, miss] = [0, 0, 0];
    for (let i = 0; i < hits.length; i++) {
      const [h, m] = [hits[i] as number, misses[i] as number];
      sum += ((m - miss) * (h + hit)) / 2;
      [hit, miss] = [h, m];
    }
    return sum / (hit * miss);
  }
}

const takesPrecision = takes('AveragePrecision');

/** The mean of precision over what recall gains at each threshold (`average_precision_score`); 0 without any. */
export class AveragePrecision<A extends Average = 'macro'> extends Area<A> {
  constructor(options?: AreaOptions<A>);
  constructor(...args: unknown[]) {
    super('AveragePrecision', takesPrecision.parse(args));
  }

  /** @internal */
  protected area({ hits, misses }: Counted): number {
    let [sum, hit] = [0, 0];
    for (let i = 0; i < hits.length; i++) {
      const [h, m] = [hits[i] as number, misses[i] as number];
      if (h > hit) sum += ((h - hit) * h) / (h + m);
      hit = h;
    }
    return hit === 0 ? 0 : sum / hit;
  }
}

const takesRoc = signature(`ROC(${CURVES})`);

/** The curve of ROC, or one for each class (`roc_curve`, with every threshold). */
export class ROC extends Curves<RocCurve | RocCurve[]> {
  constructor(options?: CurveOptions);
  constructor(...args: unknown[]) {
    super('ROC', takesRoc.parse(args));
  }

  /** @internal */
  protected result(): RocCurve | RocCurve[] {
    const shares = (x: Float64Array): Float64Array => Float64Array.of(0, ...x.map((n) => n / last(x)));
    const all = this.curves(false).map(({ thresholds, hits, misses }) => ({
      fpr: shares(misses),
      tpr: shares(hits),
      thresholds: Float64Array.of(Number.POSITIVE_INFINITY, ...Array.from(thresholds)),
    }));
    return this.task === 'binary' ? (all[0] as RocCurve) : all;
  }
}

const takesCurve = signature(`PrecisionRecallCurve(${CURVES})`);

/** Precision by recall, or so for each class (`precision_recall_curve`). */
export class PrecisionRecallCurve extends Curves<PrecisionRecall | PrecisionRecall[]> {
  constructor(options?: CurveOptions);
  constructor(...args: unknown[]) {
    super('PrecisionRecallCurve', takesCurve.parse(args));
  }

  /** @internal */
  protected result(): PrecisionRecall | PrecisionRecall[] {
    const all = this.curves(false).map(({ thresholds, hits, misses }) => ({
      precision: Float64Array.of(...hits.map((n, i) => (n === 0 ? 0 : n / (n + (misses[i] as number)))).reverse(), 1),
      recall: Float64Array.of(...hits.map((n) => (last(hits) === 0 ? 1 : n / last(hits))).reverse(), 0),
      thresholds: Float64Array.from(thresholds).reverse(),
    }));
    return this.task === 'binary' ? (all[0] as PrecisionRecall) : all;
  }
}
