// Functions without state, named as in PyTorch's torch.nn.functional: activations, losses, linear, normalisation, dropout.
import { ops } from './autograd.ts';
import { defaultGenerator } from './creation.ts';
import * as fn from './functions/index.ts';
import { normalizeDim, sameShape } from './ops/shapes.ts';
import { ArgumentError, formatShape, ShapeError } from './runtime/errors.ts';
import { numelOf, type Tensor } from './tensor.ts';

export { conv1d, conv2d, conv3d, convTranspose1d, convTranspose2d } from './convolution.ts';
export { groupNorm, type InstanceNormOptions, instanceNorm } from './normalization.ts';
export * from './pooling.ts';
export const { relu, sigmoid, tanh, softmax, logSoftmax } = fn;

/** x where x > 0, else negativeSlope · x. */
export function leakyRelu(x: Tensor, { negativeSlope = 0.01 } = {}): Tensor {
  return ops.leakyRelu(x, { negativeSlope });
}
/** x where x > 0, else alpha (eˣ − 1) (Clevert et al. 2016). */
export function elu(x: Tensor, { alpha = 1 } = {}): Tensor {
  return ops.elu(x, { alpha });
}
/** Self-normalising ELU with its fixed constants (Klambauer et al. 2017). */
export function selu(x: Tensor): Tensor {
  return ops.selu(x);
}
/** x Φ(x), exact by default; `approximate: 'tanh'` for the tanh form (Hendrycks and Gimpel 2016). */
export function gelu(x: Tensor, { approximate = 'none' }: { approximate?: 'none' | 'tanh' } = {}): Tensor {
  if (approximate !== 'none' && approximate !== 'tanh')
    throw new ArgumentError(`gelu: expected approximate 'none' or 'tanh', got '${approximate}'`);
  return approximate === 'tanh' ? ops.geluTanh(x) : ops.gelu(x);
}
/** x · sigmoid(x), also called swish. */
export function silu(x: Tensor): Tensor {
  return ops.silu(x);
}
/** log(1 + exp(beta x)) / beta; x itself where beta x > threshold. */
export function softplus(x: Tensor, { beta = 1, threshold = 20 } = {}): Tensor {
  return ops.softplus(x, { beta, threshold });
}
/** x / (1 + |x|). */
export function softsign(x: Tensor): Tensor {
  return ops.softsign(x);
}
/** x limited to minVal … maxVal. */
export function hardtanh(x: Tensor, { minVal = -1, maxVal = 1 } = {}): Tensor {
  return ops.hardtanh(x, { min: minVal, max: maxVal });
}

/**
 * x · weightᵀ + bias.
 * @param x [..., in] @param weight [out, in] @param bias [out] @returns [..., out]
 */
export function linear(x: Tensor, weight: Tensor, bias: Tensor | null = null): Tensor {
  const added = bias && fn.contiguous(bias);
  if (x.ndim === 2) return ops.linear(x, weight, added);
  if (x.ndim === 0) throw new ShapeError('linear: expected input of at least 1 dim, got a single number');
  const lead = x.shape.slice(0, -1);
  const flat = fn.reshape(x, [numelOf(lead), x.shape.at(-1) as number]);
  const y = ops.linear(flat, weight, added);
  return ops.reshape(y, { shape: [...lead, y.shape[1] as number] });
}

/** Zeroes each element with probability p and scales the others by 1 / (1 − p) (Srivastava et al. 2014); x itself when not training. */
export function dropout(x: Tensor, { p = 0.5, training = true } = {}): Tensor {
  if (!(p >= 0 && p <= 1)) throw new ArgumentError(`dropout: expected p from 0 to 1, got ${p}`);
  return training && p > 0 ? ops.dropout(x, { p, state: defaultGenerator() }) : x;
}

/** Normalises the last dims to mean 0 and variance 1, then weight · x + bias (Ba et al. 2016). */
export function layerNorm(
  x: Tensor,
  normalizedShape: readonly number[],
  { weight = null, bias = null, eps = 1e-5 }: { weight?: Tensor | null; bias?: Tensor | null; eps?: number } = {},
): Tensor {
  return ops.layerNorm(x, weight, bias, { normalizedShape, eps });
}

/**
 * Normalises each channel of x [n, channels, ...] (Ioffe and Szegedy 2015). Training uses the batch's own statistics and moves
 * the running ones towards them by `momentum`; evaluation uses the running ones.
 */
export function batchNorm(
  x: Tensor,
  runningMean: Tensor | null,
  runningVar: Tensor | null,
  {
    weight = null,
    bias = null,
    training = false,
    momentum = 0.1,
    eps = 1e-5,
  }: { weight?: Tensor | null; bias?: Tensor | null; training?: boolean; momentum?: number; eps?: number } = {},
): Tensor {
  const running = runningMean && runningVar ? { mean: runningMean, variance: runningVar } : null;
  return ops.batchNorm(x, weight, bias, { running, training, momentum, eps });
}

/** How the losses of a batch become one: their mean (default), their sum, or not at all. */
export type Reduction = 'mean' | 'sum' | 'none';
type Reduced = { reduction?: Reduction };

function reduce(op: string, losses: Tensor, reduction: Reduction): Tensor {
  if (reduction === 'mean') return fn.mean(losses);
  if (reduction === 'sum') return fn.sum(losses);
  if (reduction === 'none') return losses;
  throw new ArgumentError(`${op}: expected reduction 'mean', 'sum' or 'none', got '${reduction}'`);
}

function expectSameShape(op: string, x: Tensor, target: Tensor): void {
  if (!sameShape(x.shape, target.shape))
    throw new ShapeError(
      `${op}: expected a target of the prediction's shape ${formatShape(x.shape)}, got ${formatShape(target.shape)}; reshape one of them`,
    );
}

/** (x − target)². */
export function mseLoss(x: Tensor, target: Tensor, { reduction = 'mean' }: Reduced = {}): Tensor {
  expectSameShape('mseLoss', x, target);
  return reduce('mseLoss', ops.square(ops.sub(x, target)), reduction);
}

/** |x − target|. */
export function l1Loss(x: Tensor, target: Tensor, { reduction = 'mean' }: Reduced = {}): Tensor {
  expectSameShape('l1Loss', x, target);
  return reduce('l1Loss', ops.abs(ops.sub(x, target)), reduction);
}

/** (x − target)² / (2 beta) within beta, |x − target| − beta / 2 beyond. */
export function smoothL1Loss(
  x: Tensor,
  target: Tensor,
  { reduction = 'mean', beta = 1 }: Reduced & { beta?: number } = {},
): Tensor {
  return reduce('smoothL1Loss', ops.smoothL1(x, target, { beta }), reduction);
}

/** (x − target)² / 2 within delta, delta (|x − target| − delta / 2) beyond (Huber 1964). */
export function huberLoss(
  x: Tensor,
  target: Tensor,
  { reduction = 'mean', delta = 1 }: Reduced & { delta?: number } = {},
): Tensor {
  return reduce('huberLoss', ops.huber(x, target, { delta }), reduction);
}

/** Binary cross-entropy of probabilities; its logarithms are cut off at −100, as PyTorch's. Prefer bceWithLogitsLoss. */
export function bceLoss(
  x: Tensor,
  target: Tensor,
  { reduction = 'mean', weight = null }: Reduced & { weight?: Tensor | null } = {},
): Tensor {
  const losses = ops.bce(x, target);
  return reduce('bceLoss', weight ? ops.mul(losses, weight) : losses, reduction);
}

/** Binary cross-entropy of logits, finite for all of them. `posWeight` [size of the last dim] multiplies the positive terms. */
export function bceWithLogitsLoss(
  x: Tensor,
  target: Tensor,
  {
    reduction = 'mean',
    weight = null,
    posWeight = null,
  }: Reduced & { weight?: Tensor | null; posWeight?: Tensor | null } = {},
): Tensor {
  const losses = ops.bceWithLogits(x, target, posWeight);
  return reduce('bceWithLogitsLoss', weight ? ops.mul(losses, weight) : losses, reduction);
}

/**
 * Kullback–Leibler divergence target · (log target − x), x being log-probabilities; `logTarget`: the target is, too.
 * `batchmean` divides the sum by the first size, which is the mathematical definition.
 */
export function klDivLoss(
  x: Tensor,
  target: Tensor,
  { reduction = 'mean', logTarget = false }: { reduction?: Reduction | 'batchmean'; logTarget?: boolean } = {},
): Tensor {
  expectSameShape('klDivLoss', x, target);
  let losses: Tensor;
  if (logTarget) losses = ops.mul(ops.exp(target), ops.sub(target, x));
  else {
    // 0 log 0 is 0: the logarithm is taken of 1 there.
    const zero = ops.full({ shape: [], value: 0 });
    const one = ops.full({ shape: [], value: 1 });
    const positive = ops.gt(target, zero);
    losses = ops.sub(ops.mul(target, ops.log(ops.where(positive, target, one))), ops.mul(target, x));
  }
  if (reduction !== 'batchmean') return reduce('klDivLoss', losses, reduction);
  return ops.scale(fn.sum(losses), { alpha: 1 / (x.shape[0] ?? 1), beta: 0 });
}

interface ClassLoss extends Reduced {
  /** Weight of each class [classes]. */
  weight?: Tensor | null;
  /** Targets of this class count for nothing. Default −100. */
  ignoreIndex?: number;
}

/** Weighted mean: the sum of the losses over the sum of their targets' weights. */
function reduceWeighted(op: string, losses: Tensor, reduction: Reduction, weights: () => Tensor): Tensor {
  if (reduction !== 'mean') return reduce(op, losses, reduction);
  return ops.div(fn.sum(losses), fn.sum(weights()));
}

/** x [n, classes, ...] as [n, classes, inner], and the shape of its targets. */
function classLayout(op: string, x: Tensor): { n: number; classes: number; inner: number; targets: number[] } {
  const [n, classes] = x.ndim === 1 ? [1, x.shape[0] as number] : (x.shape as unknown as [number, number]);
  if (x.ndim === 0) throw new ShapeError(`${op}: expected input [n, classes, ...], got a single number`);
  const targets = x.ndim === 1 ? [] : [n, ...x.shape.slice(2)];
  return { n, classes, inner: numelOf(x.shape.slice(2)), targets };
}

function expectTargets(op: string, target: Tensor, shape: readonly number[]): void {
  if (!sameShape(target.shape, shape))
    throw new ShapeError(
      `${op}: expected class targets of shape ${formatShape(shape)}, got ${formatShape(target.shape)}`,
    );
}

/**
 * −log-probability of the target class.
 * @param x log-probabilities [n, classes, ...] or [classes] @param target i32 classes [n, ...]
 */
export function nllLoss(
  x: Tensor,
  target: Tensor,
  { reduction = 'mean', weight = null, ignoreIndex = -100 }: ClassLoss = {},
): Tensor {
  const { n, classes, inner, targets } = classLayout('nllLoss', x);
  expectTargets('nllLoss', target, targets);
  const flat = fn.reshape(target, [n, inner]);
  const losses = ops.nll(fn.reshape(x, [n, classes, inner]), flat, weight, { ignoreIndex });
  const shaped = ops.reshape(losses, { shape: targets });
  return reduceWeighted('nllLoss', shaped, reduction, () => ops.classWeights(flat, weight, { classes, ignoreIndex }));
}

/**
 * Cross-entropy of softmax(x) and the target, on logits.
 * @param x [n, classes, ...] or [classes]
 * @param target i32 classes [n, ...], or f32 probabilities of x's shape
 */
export function crossEntropy(
  x: Tensor,
  target: Tensor,
  {
    reduction = 'mean',
    weight = null,
    ignoreIndex = -100,
    labelSmoothing = 0,
  }: ClassLoss & { labelSmoothing?: number } = {},
): Tensor {
  const { n, classes, inner, targets } = classLayout('crossEntropy', x);
  if (target.dtype === 'f32') return probabilityCrossEntropy(x, target, { reduction, weight, labelSmoothing, n });
  expectTargets('crossEntropy', target, targets);
  // Classes last: [n, inner, classes] as rows.
  const logits =
    inner === 1
      ? fn.reshape(x, [n, classes])
      : fn.reshape(fn.transpose(fn.reshape(x, [n, classes, inner]), 1, 2), [n * inner, classes]);
  const flat = fn.reshape(target, [n * inner]);
  const losses = ops.crossEntropy(logits, flat, weight, { ignoreIndex, labelSmoothing });
  const shaped = reduction === 'none' ? ops.reshape(losses, { shape: targets }) : losses;
  return reduceWeighted('crossEntropy', shaped, reduction, () =>
    ops.classWeights(flat, weight, { classes, ignoreIndex }),
  );
}

function probabilityCrossEntropy(
  x: Tensor,
  target: Tensor,
  {
    reduction,
    weight,
    labelSmoothing,
    n,
  }: { reduction: Reduction; weight: Tensor | null; labelSmoothing: number; n: number },
): Tensor {
  expectSameShape('crossEntropy', x, target);
  if (!(labelSmoothing >= 0 && labelSmoothing <= 1))
    throw new ArgumentError(`crossEntropy: expected labelSmoothing from 0 to 1, got ${labelSmoothing}`);
  const dim = x.ndim === 1 ? 0 : 1;
  const classes = x.shape[dim] as number;
  const smooth =
    labelSmoothing > 0 ? ops.scale(target, { alpha: 1 - labelSmoothing, beta: labelSmoothing / classes }) : target;
  let terms = ops.mul(ops.logSoftmax(x, { dim }), smooth);
  if (weight) {
    const shape = x.shape.map((size, d) => (d === dim ? size : 1));
    terms = ops.mul(terms, fn.reshape(weight, shape));
  }
  const losses = ops.neg(fn.sum(terms, dim));
  if (reduction !== 'mean') return reduce('crossEntropy', losses, reduction);
  // PyTorch divides by the number of targets, not by their weights.
  return ops.scale(fn.sum(losses), { alpha: 1 / (n * numelOf(x.shape.slice(2))), beta: 0 });
}

/** One-hot rows of i32 classes: f32 [..., classes]. */
export function oneHot(x: Tensor, classes: number): Tensor {
  normalizeDim('oneHot', 0, x.ndim);
  if (!(Number.isInteger(classes) && classes >= 1))
    throw new ArgumentError(`oneHot: expected classes >= 1, got ${classes}`);
  const flat = fn.reshape(x, [x.size, 1]);
  const empty = ops.full({ shape: [x.size, classes], value: 0 });
  const hot = ops.scatterAdd(empty, flat, ops.full({ shape: [x.size, 1], value: 1 }), { dim: 1 });
  return ops.reshape(hot, { shape: [...x.shape, classes] });
}
