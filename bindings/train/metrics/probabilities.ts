// Metrics of how good probabilities are.

import { onesLike } from '../../creation.ts';
import { softplus } from '../../functional/activation.ts';
import {
  add,
  amax,
  clamp,
  eq,
  floor,
  gather,
  log,
  logSoftmax,
  mul,
  neg,
  reshape,
  sigmoid,
  softmax,
  square,
  squeeze,
  stack,
  sub,
  sum,
  to,
  unsqueeze,
  where,
} from '../../functional/functions.ts';
import { iota } from '../../functional/places.ts';
import { ArgumentError } from '../../memory/errors.ts';
import { signature } from '../../signature.ts';
import type { Tensor } from '../../tensor.ts';
import { total } from './averages.ts';
import {
  type Batch,
  CLASSES,
  type ClassOptions,
  type ClassSettings,
  classOf,
  classSettings,
  counts,
  readBatch,
  unlessLogits,
} from './labels.ts';
import { StreamingMetric } from './streaming.ts';

/** Options of metrics of probabilities. */
export interface ProbabilityOptions extends ClassOptions {
  /** Whether outputs are logits; see {@link ThresholdOptions.logits}. @defaultValue null */
  logits?: boolean | null;
}

/** Options of {@link CalibrationError}. */
export interface CalibrationOptions extends ProbabilityOptions {
  /** Into how many ranges of one width probabilities are put. @defaultValue 15 */
  nBins?: number;
  /** `'l1'`: the mean distance; `'l2'`: the root of the mean square; `'max'`: the largest. @defaultValue 'l1' */
  norm?: 'l1' | 'l2' | 'max';
}

/** How often what was given a probability is so. */
export interface CalibrationCurve {
  /** The mean probability of each range. */
  readonly confidence: Float64Array;
  /** How often those were right. */
  readonly accuracy: Float64Array;
  /** The share of all examples that are in the range. */
  readonly share: Float64Array;
}

/** Probabilities are at least this far from 0 and 1, as scikit-learn has them in f32. */
const EPS = 2 ** -23;
const PROBABILITIES = `${CLASSES}, logits: bool|null = null`;

/** What sees scores, not classes. */
abstract class Chances<V> extends StreamingMetric<V> {
  /** @internal */
  protected readonly logits: boolean | null;
  readonly #settings: ClassSettings;

  constructor(op: string, values: readonly unknown[]) {
    super();
    this.#settings = classSettings(op, values);
    this.logits = values[3] as boolean | null;
  }

  /** @internal */
  protected add(output: Tensor, given: Tensor, weight: Tensor | null): void {
    const batch = readBatch(output, given, weight, this.#settings);
    if (!batch.scores) throw new ArgumentError('update: expected scores as outputs, f32, got classes');
    this.task = batch.task;
    this.see(batch, batch.scores);
  }

  /** @internal */
  protected abstract see(batch: Batch, scores: Tensor): void;

  /** Probabilities, f32 [rows, classes]. @internal */
  protected chances(batch: Batch): Tensor {
    return unlessLogits(batch, this.logits, this.task === 'multiclass' ? (x) => softmax(x, 1) : sigmoid);
  }

  /** Adds what each row or label costs, for {@link mean}. @internal */
  protected cost(costs: Tensor, weight: Tensor | null): void {
    const count = weight ?? onesLike(costs);
    this.sum('cost', [2]).add(stack([sum(weight ? mul(costs, weight) : costs), sum(count)]));
  }

  /** @internal */
  protected mean(): number {
    const [cost = Number.NaN, count = 0] = this.read('cost');
    return cost / count;
  }
}

/** The target's own score of each row: [rows]. */
const ownOf = (scores: Tensor, target: Tensor): Tensor => squeeze(gather(scores, 1, unsqueeze(target, 1)), 1);

/** The mean of −log of the probabilities that targets are given. */
abstract class Surprise extends Chances<number> {
  /** @internal */
  protected see(batch: Batch, scores: Tensor): void {
    const { task, target, weight } = batch;
    if (task === 'multiclass') {
      const known = log(clamp(scores, EPS, 1 - EPS));
      this.cost(
        neg(
          ownOf(
            unlessLogits(batch, this.logits, (x) => logSoftmax(x, 1), known),
            target,
          ),
        ),
        weight,
      );
      return;
    }
    const there = to(target, 'u8');
    const own = clamp(where(there, scores, add(neg(scores), 1)), EPS, 1 - EPS);
    const surprise = (x: Tensor): Tensor => softplus(where(there, neg(x), x));
    this.cost(unlessLogits(batch, this.logits, surprise, neg(log(own))), weight);
  }
}

const takesLogLoss = signature(`LogLoss(${PROBABILITIES})`);

/** The mean of −log of the probabilities that targets are given (`log_loss`): the cross entropy. */
export class LogLoss extends Surprise {
  constructor(options?: ProbabilityOptions);
  constructor(...args: unknown[]) {
    super('LogLoss', takesLogLoss.parse(args));
  }

  /** @internal */
  protected result(): number {
    return this.mean();
  }
}

const takesPerplexity = signature(`Perplexity(${PROBABILITIES})`);

/** Between how many equally likely classes, such as tokens, a model is as uncertain: exp of {@link LogLoss}. */
export class Perplexity extends Surprise {
  constructor(options?: ProbabilityOptions);
  constructor(...args: unknown[]) {
    super('Perplexity', takesPerplexity.parse(args));
  }

  /** @internal */
  protected result(): number {
    return Math.exp(this.mean());
  }
}

const takesBrier = signature(`BrierScore(${PROBABILITIES})`);

/**
 * The mean squared distance of probabilities from what is so (`brier_score_loss`); of several classes, that of all
 * of a row together, from 0 to 2.
 */
export class BrierScore extends Chances<number> {
  constructor(options?: ProbabilityOptions);
  constructor(...args: unknown[]) {
    super('BrierScore', takesBrier.parse(args));
  }

  /** @internal */
  protected see(batch: Batch): void {
    const { task, classes, target, weight } = batch;
    const chances = this.chances(batch);
    if (task !== 'multiclass') this.cost(square(sub(chances, target)), weight);
    else {
      const there = to(eq(unsqueeze(target, 1), iota(classes, target)), 'f32');
      this.cost(sum(square(sub(chances, there)), 1), weight);
    }
  }

  /** @internal */
  protected result(): number {
    return this.mean();
  }
}

const takesCalibration = signature(`CalibrationError(${PROBABILITIES}, nBins: int = 15, norm: 'l1'|'l2'|'max' = 'l1')`);
const takesCurve = signature('CalibrationError.curve()');

/**
 * How far probabilities are from how often what they say is so: the expected calibration error (torchmetrics'
 * `CalibrationError`). Of several classes it looks at the most likely one, else at each label.
 */
export class CalibrationError extends Chances<number> {
  readonly #bins: number;
  readonly #norm: 'l1' | 'l2' | 'max';

  constructor(options?: CalibrationOptions);
  constructor(...args: unknown[]) {
    const values = takesCalibration.parse(args);
    super('CalibrationError', values);
    [this.#bins, this.#norm] = values.slice(4) as [number, 'l1'];
    if (this.#bins < 1) throw new ArgumentError(`CalibrationError: expected nBins >= 1, got ${this.#bins}`);
  }

  /** @internal */
  protected see(batch: Batch): void {
    const chances = this.chances(batch);
    const single = batch.task !== 'multiclass';
    const flat = (x: Tensor): Tensor => reshape(x, [x.size]);
    const confidence = flat(single ? chances : amax(chances, 1));
    const right = single ? flat(batch.target) : to(eq(classOf(batch), batch.target), 'f32');
    const weight = batch.weight && flat(batch.weight);
    const bins = this.#bins;
    const bin = to(clamp(floor(mul(confidence, bins)), 0, bins - 1), 'i32');
    const weighted = (x: Tensor): Tensor => counts(bin, bins, weight ? mul(x, weight) : x);
    this.sum('bins', [3, bins]).add(stack([counts(bin, bins, weight), weighted(confidence), weighted(right)]));
  }

  /** What a diagram of reliability shows: ranges that are not empty, in ascending order. */
  curve(...args: []): CalibrationCurve {
    takesCurve.parse(args);
    const sums = this.read('bins');
    const bins = sums.length / 3;
    const all = total(sums.subarray(0, bins));
    const kept = Array.from({ length: bins }, (_, i) => i).filter((i) => (sums[i] as number) > 0);
    const of = (value: (i: number) => number): Float64Array => Float64Array.from(kept, value);
    return {
      confidence: of((i) => (sums[bins + i] as number) / (sums[i] as number)),
      accuracy: of((i) => (sums[2 * bins + i] as number) / (sums[i] as number)),
      share: of((i) => (sums[i] as number) / all),
    };
  }

  /** @internal */
  protected result(): number {
    const { confidence, accuracy, share } = this.curve();
    if (share.length === 0) return Number.NaN;
    const far = confidence.map((x, i) => Math.abs(x - (accuracy[i] as number)));
    if (this.#norm === 'max') return Math.max(...far);
    const power = this.#norm === 'l1' ? 1 : 2;
    return total(far.map((x, i) => x ** power * (share[i] as number))) ** (1 / power);
  }
}
