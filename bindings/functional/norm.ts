// Normalisation.
import { familyOps, ops, withoutTape } from '../autograd.ts';
import { overlap } from '../execute.ts';
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import { groupNormRows } from '../ops/groupnorm.ts';
import { batchNormRows, layerNormRows } from '../ops/norm.ts';
import { type Callable, callable } from '../signature.ts';
import { numelOf, type Tensor } from '../tensor.ts';

type Affine = [weight: Tensor | null, bias: Tensor | null];

/** How signatures have what all norms take. */
const AFFINE = 'weight: Tensor|null = null, bias: Tensor|null = null';
const EPS = 'eps: number = 1e-5)';

const layerNormOps = familyOps(layerNormRows);
const batchNormOps = familyOps(batchNormRows);
const groupNormOps = familyOps(groupNormRows);

/** Options of {@link layerNorm} and {@link groupNorm}. */
export interface AffineOptions {
  /**
   * What the normalised values are multiplied by, of the normalised shape or [channels]; null: 1.
   * @defaultValue null
   */
  weight?: Tensor | null;
  /** What is added after it, of the same shape; null: 0. @defaultValue null */
  bias?: Tensor | null;
  /** Added to the variance. @defaultValue 1e-5 */
  eps?: number;
}

/** Options of {@link batchNorm}. */
export interface BatchNormOptions extends AffineOptions {
  /** Whether to use the batch's own statistics and move the running ones, not the running ones. @defaultValue false */
  training?: boolean;
  /** The share of the newest batch in the running statistics. @defaultValue 0.1 */
  momentum?: number;
}

/** Options of {@link instanceNorm}. */
export interface InstanceNormOptions extends AffineOptions {
  /** The running mean, f32 [channels]; null: none. @defaultValue null */
  runningMean?: Tensor | null;
  /** The running variance, f32 [channels]; null: none. @defaultValue null */
  runningVar?: Tensor | null;
  /** Whether to use the input's own statistics and not the running ones. @defaultValue true */
  useInputStats?: boolean;
  /** The share of the newest batch in the running statistics. @defaultValue 0.1 */
  momentum?: number;
}

/**
 * Normalises the last dims to mean 0 and variance 1, (x − mean) / √(variance + eps), then weight · x + bias
 * (Ba et al. 2016).
 * @param x [..., ...normalizedShape]
 * @throws ShapeError, DtypeError
 */
export const layerNorm = callable<
  Callable<
    [x: Tensor, normalizedShape: readonly number[]],
    [weight: Tensor | null, bias: Tensor | null, eps: number],
    AffineOptions,
    Tensor,
    ['x', 'normalizedShape']
  >
>(
  `layerNorm(x: Tensor, normalizedShape: int[], ${AFFINE}, ${EPS}`,
  (x: Tensor, normalizedShape: readonly number[], ...[weight, bias, eps]: [...Affine, number]) =>
    layerNormOps.layerNorm({ x, weight, bias }, { normalizedShape, eps }),
);

const NO_STATISTICS = { runningMean: null, runningVariance: null };

/** Running statistics, or null for none. @throws ArgumentError where one of them is given, or none where `needed` */
function runningOf(op: string, runningMean: Tensor | null, runningVariance: Tensor | null, needed: string | null) {
  if ((runningMean === null) !== (runningVariance === null))
    throw new ArgumentError(
      `${op}: expected runningMean and runningVar, or neither, got ${runningMean ? 'no runningVar' : 'no runningMean'}`,
    );
  if (runningMean && runningVariance) return { runningMean, runningVariance };
  if (needed) throw new ArgumentError(`${op}: expected runningMean and runningVar with ${needed}, got none`);
  return null;
}

/** Checks running statistics before the first of them is written. @throws ShapeError, ArgumentError */
function expectStatistics(op: string, channels: number, running: NonNullable<ReturnType<typeof runningOf>>): void {
  for (const [name, x] of Object.entries({ runningMean: running.runningMean, runningVar: running.runningVariance })) {
    if (x.ndim !== 1 || x.sizes[0] !== channels)
      throw new ShapeError(`${op}: expected ${name} of shape [${channels}], got ${formatShape(x.sizes)}`);
    if (channels > 1 && x.steps[0] === 0)
      throw new ArgumentError(
        `${op}: expected a tensor to write as ${name} whose elements have places of their own, got an expanded one of shape ${formatShape(x.sizes)}; use contiguous()`,
      );
  }
  if (overlap(running.runningMean, running.runningVariance))
    throw new ArgumentError(
      `${op}: expected runningMean and runningVar to have memory of their own, got two that share it; clone() one`,
    );
}

/**
 * Normalises each channel over the batch to mean 0 and variance 1, then weight · x + bias (Ioffe and Szegedy 2015).
 * Training uses the batch's own statistics and moves the running ones towards them by `momentum`; evaluation uses the
 * running ones.
 * @param x [n, channels, ...]
 * @param runningMean [channels]
 * @param runningVar [channels]
 * @throws ShapeError, ArgumentError, DtypeError
 */
export const batchNorm = callable<
  Callable<
    [x: Tensor, runningMean: Tensor | null, runningVar: Tensor | null],
    [weight: Tensor | null, bias: Tensor | null, training: boolean, momentum: number, eps: number],
    BatchNormOptions,
    Tensor,
    ['x', 'runningMean', 'runningVar']
  >
>(
  `batchNorm(x: Tensor, runningMean: Tensor|null, runningVar: Tensor|null, ${AFFINE}, training: bool = false, momentum: number = 0.1, ${EPS}`,
  (
    x: Tensor,
    runningMean: Tensor | null,
    runningVar: Tensor | null,
    ...[weight, bias, training, momentum, eps]: [...Affine, boolean, number, number]
  ) => {
    const running = runningOf('batchNorm', runningMean, runningVar, training ? null : 'training: false');
    return batchNormOps.batchNorm({ x, weight, bias, ...(running ?? NO_STATISTICS) }, { training, momentum, eps });
  },
);

/**
 * Splits the channels into groups and normalises each group of a sample to mean 0 and variance 1, then weight · x +
 * bias (Wu and He 2018).
 * @param x [n, channels, ...]
 * @param numGroups how many groups; it divides the channels
 * @throws ShapeError, ArgumentError, DtypeError
 */
export const groupNorm = callable<
  Callable<
    [x: Tensor, numGroups: number],
    [weight: Tensor | null, bias: Tensor | null, eps: number],
    AffineOptions,
    Tensor,
    ['x', 'numGroups']
  >
>(
  `groupNorm(x: Tensor, numGroups: int, ${AFFINE}, ${EPS}`,
  (x: Tensor, numGroups: number, ...[weight, bias, eps]: [...Affine, number]) =>
    groupNormOps.groupNorm({ x, weight, bias }, { groups: numGroups, eps }),
);

/**
 * Normalises each channel of each sample to mean 0 and variance 1, then weight · x + bias (Ulyanov et al. 2016). Where
 * there are running statistics it moves them towards the mean of the samples' by `momentum`; with
 * `useInputStats: false` it uses them instead.
 * @param x [n, channels, ...]
 * @param runningMean [channels]
 * @param runningVar [channels]
 * @throws ShapeError, ArgumentError, DtypeError
 */
export const instanceNorm = callable<
  Callable<
    [x: Tensor],
    [
      runningMean: Tensor | null,
      runningVar: Tensor | null,
      weight: Tensor | null,
      bias: Tensor | null,
      useInputStats: boolean,
      momentum: number,
      eps: number,
    ],
    InstanceNormOptions,
    Tensor
  >
>(
  `instanceNorm(x: Tensor, runningMean: Tensor|null = null, runningVar: Tensor|null = null, ${AFFINE}, useInputStats: bool = true, momentum: number = 0.1, ${EPS}`,
  (
    x: Tensor,
    runningMean: Tensor | null,
    runningVar: Tensor | null,
    ...[weight, bias, useInputStats, momentum, eps]: [...Affine, boolean, number, number]
  ) => {
    const running = runningOf('instanceNorm', runningMean, runningVar, useInputStats ? null : 'useInputStats: false');
    if (running && !useInputStats)
      return batchNormOps.batchNorm({ x, weight, bias, ...running }, { training: false, momentum, eps });
    const [n = 0, channels = 0, ...rest] = x.sizes;
    if (x.ndim < 3 || numelOf(rest) <= 1)
      throw new ShapeError(
        `instanceNorm: expected input [n, channels, ...] of more than 1 value per channel, got ${formatShape(x.sizes)}`,
      );
    if (!running) return groupNormOps.groupNorm({ x, weight, bias }, { groups: channels, eps });
    expectStatistics('instanceNorm', channels, running);
    // Every channel of every sample is a channel of one large sample. Of a single sample they are the channels
    // themselves.
    const repeat = (values: Tensor): Tensor =>
      ops.reshape({ x: ops.expand({ x: values }, { shape: [n, channels] }) }, { shape: [n * channels] });
    const each = withoutTape(() => ({
      runningMean: repeat(running.runningMean),
      runningVariance: repeat(running.runningVariance),
    }));
    const flat = ops.reshape({ x }, { shape: [1, n * channels, ...rest] });
    const affine = { weight: weight && repeat(weight), bias: bias && repeat(bias) };
    const y = batchNormOps.batchNorm({ x: flat, ...affine, ...each }, { training: true, momentum, eps });
    if (n > 1) {
      withoutTape(() => {
        for (const name of ['runningMean', 'runningVariance'] as const) {
          const rows = ops.reshape({ x: each[name] }, { shape: [n, channels] });
          ops.sumInto({ y: running[name], x: rows }, { factor: 1 / n });
        }
      });
      each.runningMean.dispose();
      each.runningVariance.dispose();
    }
    return ops.reshape({ x: y }, { shape: x.sizes });
  },
);
