// Losses that are negative log-likelihoods of distributions, and the focal loss.
import { familyOps, ops } from '../autograd.ts';
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import { logitRows } from '../ops/loss.ts';
import { sameShape } from '../ops/shapes.ts';
import { withinRows } from '../ops/within.ts';
import { type Callable, callable } from '../signature.ts';
import { Tensor } from '../tensor.ts';
import { cast, constantFor } from './arguments.ts';
import { raised } from './distance.ts';
import { add, clamp, div, gt, mul, pow, sub, where } from './elementwise.ts';
import { type LossOptions, PAIR, REDUCTION, type Reduction, reduce } from './loss-parts.ts';
import { unsqueeze } from './shape.ts';

const logitOps = familyOps(logitRows);
const checkOps = familyOps(withinRows);

/** Options of {@link poissonNllLoss}. */
export interface PoissonNllLossOptions extends LossOptions {
  /** Whether x is the logarithm of the rate. @defaultValue true */
  logInput?: boolean;
  /** Whether Stirling's term of the target counts, target log target − target + ½ log 2π target. @defaultValue false */
  full?: boolean;
  /** Is added to the rate where its logarithm is taken. @defaultValue 1e-8 */
  eps?: number;
}

/** Options of {@link gaussianNllLoss}. */
export interface GaussianNllLossOptions extends LossOptions {
  /** Whether the constant term ½ log 2π counts. @defaultValue false */
  full?: boolean;
  /** The least variance, at least 0. @defaultValue 1e-6 */
  eps?: number;
}

/** Options of {@link sigmoidFocalLoss}. */
export interface SigmoidFocalLossOptions {
  /** The weight of targets of 1, from 0 to 1, those of 0 having the rest; -1: none. @defaultValue 0.25 */
  alpha?: number;
  /** How much less what is easy counts. @defaultValue 2 */
  gamma?: number;
  /** How the losses become one. @defaultValue 'none' */
  reduction?: Reduction;
}

/** Of targets above 1: the logarithm of their factorial, by Stirling's formula; else 0. */
function stirling(target: Tensor): Tensor {
  const large = gt(target, 1);
  const t = where(large, target, 1);
  const terms = add(sub(mul(t, ops.log({ x: t })), t), mul(ops.log({ x: mul(t, 2 * Math.PI) }), 0.5));
  return where(large, terms, 0);
}

/**
 * The negative log-likelihood exp(x) − target · x of counts, x being the logarithm of their rate.
 * @param target counts, broadcast with x
 * @throws ShapeError
 */
export const poissonNllLoss = callable<
  Callable<
    [x: Tensor, target: Tensor],
    [logInput: boolean, full: boolean, sizeAverage: null, eps: number, reduce: null, reduction: Reduction],
    PoissonNllLossOptions,
    Tensor,
    ['x', 'target']
  >
>(
  `poissonNllLoss${PAIR}logInput: bool = true, full: bool = false, -sizeAverage: bool|null = null, eps: number = 1e-8, -reduce: bool|null = null, ${REDUCTION})`,
  (
    x: Tensor,
    target: Tensor,
    ...[logInput, full, , eps, , reduction]: [boolean, boolean, null, number, null, Reduction]
  ) => {
    const counts = cast(target, 'f32');
    const losses = logInput
      ? sub(ops.exp({ x }), mul(counts, x))
      : sub(x, mul(counts, ops.log({ x: ops.scale({ x }, { alpha: 1, beta: eps }) })));
    return reduce(full ? add(losses, stirling(counts)) : losses, reduction);
  },
);

/** The variances so that they stretch to x. @throws ShapeError */
function stretched(x: Tensor, variance: Tensor): Tensor {
  if (sameShape(variance.sizes, x.sizes)) return variance;
  if (sameShape(variance.sizes, x.sizes.slice(0, -1))) return unsqueeze(variance, -1);
  const other = x.sizes.flatMap((size, d) => (size === variance.sizes[d] ? [] : [variance.sizes[d]]));
  if (x.ndim !== variance.ndim || other.length !== 1 || other[0] !== 1)
    throw new ShapeError(
      `gaussianNllLoss: expected variances of the input's shape ${formatShape(x.sizes)}, without its last dim, or with one dim of size 1, got ${formatShape(variance.sizes)}`,
    );
  return variance;
}

/**
 * The negative log-likelihood ½ (log variance + (x − target)² / variance) of normal numbers of mean x.
 * @param target broadcast with x
 * @param variance at least 0, raised to eps: of x's shape, without its last dim, or with one dim of size 1; or a number
 * @throws ShapeError; ArgumentError for a variance or eps below 0
 */
export const gaussianNllLoss = callable<
  Callable<
    [x: Tensor, target: Tensor, variance: Tensor | number],
    [full: boolean, eps: number, reduction: Reduction],
    GaussianNllLossOptions,
    Tensor,
    ['x', 'target', 'variance']
  >
>(
  `gaussianNllLoss${PAIR}var: Tensor|number, full: bool = false, eps: number = 1e-6, ${REDUCTION})`,
  (x: Tensor, target: Tensor, variance: Tensor | number, ...[full, eps, reduction]: [boolean, number, Reduction]) => {
    if (!(eps >= 0)) throw new ArgumentError(`gaussianNllLoss: expected eps >= 0, got ${eps}`);
    const given = variance instanceof Tensor ? stretched(x, variance) : constantFor(x, variance);
    checkOps.within({ x: given }, { low: 0, high: Number.POSITIVE_INFINITY, what: 'variances' });
    const v = raised(given, eps);
    const terms = add(ops.log({ x: v }), div(ops.square({ x: sub(x, target) }), v));
    return reduce(ops.scale({ x: terms }, { alpha: 0.5, beta: full ? 0.5 * Math.log(2 * Math.PI) : 0 }), reduction);
  },
);

/**
 * The binary cross-entropy of logits with what is easy weighed down: (1 − pₜ)^gamma · −log pₜ, pₜ being the probability
 * of the target (Lin et al. 2017; torchvision's `sigmoid_focal_loss`).
 * @param target 0 or 1, of x's shape
 * @throws ShapeError; ArgumentError for alpha that is neither −1 nor from 0 to 1
 */
export const sigmoidFocalLoss = callable<
  Callable<
    [x: Tensor, target: Tensor],
    [alpha: number, gamma: number, reduction: Reduction],
    SigmoidFocalLossOptions,
    Tensor,
    ['x', 'target']
  >
>(
  `sigmoidFocalLoss${PAIR}alpha: number = 0.25, gamma: number = 2, reduction: 'mean'|'sum'|'none' = 'none')`,
  (x: Tensor, target: Tensor, alpha: number, gamma: number, reduction: Reduction) => {
    if (alpha !== -1 && !(alpha >= 0 && alpha <= 1))
      throw new ArgumentError(`sigmoidFocalLoss: expected alpha from 0 to 1, or -1 for none, got ${alpha}`);
    const t = cast(target, 'f32');
    const entropy = logitOps.bceWithLogits({ x, target: t, posWeight: null });
    // 1 − pₜ is p where the target is 0 and 1 − p where it is 1: p + t (1 − 2 p).
    const p = ops.sigmoid({ x });
    const wrong = add(p, mul(t, ops.scale({ x: p }, { alpha: -2, beta: 1 })));
    let losses = mul(entropy, gamma === 2 ? ops.square({ x: wrong }) : pow(clamp(wrong, 0), gamma));
    if (alpha >= 0) losses = mul(losses, ops.scale({ x: t }, { alpha: 2 * alpha - 1, beta: 1 - alpha }));
    return reduce(losses, reduction);
  },
);
