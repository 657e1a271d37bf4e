// Random numbers of distributions: new tensors. Kernels draw words, and the rest is made of ops, so that all repeat to
// the bit for any number of threads and are drawn anew by each call of a compiled function. None is recorded.
import { familyOps, ops, withoutTape } from '../autograd.ts';
import { MADE, type TensorOptions, withGrad } from '../creation.ts';
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import { samplingRows } from '../ops/sampling.ts';
import { broadcastShapes } from '../ops/shapes.ts';
import { withinRows } from '../ops/within.ts';
import { defaultGenerator, randn } from '../random.ts';
import { alternatives, type Callable, callable } from '../signature.ts';
import { type Dtype, type Shape, Tensor } from '../tensor.ts';
import { add, div, mul } from './elementwise.ts';
import { reshape } from './shape.ts';

const samplingOps = familyOps(samplingRows);
const checkOps = familyOps(withinRows);

/** Options of {@link multinomial}. */
export interface MultinomialOptions {
  /** Whether a class may be drawn more than once. @defaultValue false */
  replacement?: boolean;
}

/** Half of the least step of uniform numbers: what is above 0 for certain. */
const LEAST = 2 ** -25;

/** Uniform numbers from 0 up to, without, 1. */
export const uniforms = (shape: Shape): Tensor =>
  ops.uniform({ state: defaultGenerator() }, { shape: [...shape], low: 0, high: 1 });

/** Exponential numbers of rate 1, all above 0. */
export const exponentials = (shape: Shape): Tensor => {
  const rest = ops.log({ x: ops.scale({ x: uniforms(shape) }, { alpha: -1, beta: 1 }) });
  return ops.clamp({ x: ops.neg({ x: rest }) }, { min: LEAST, max: Number.POSITIVE_INFINITY });
};

/** Counts of the rates. */
export const counts = (rates: Tensor): Tensor => samplingOps.poisson({ rates, state: defaultGenerator() });

/**
 * Poisson numbers, each of the rate that stands in x (PyTorch's `torch.poisson`).
 * @param x rates of at least 0
 * @throws ArgumentError for a rate below 0
 */
export const poisson = callable(
  'poisson(x: Tensor, -generator: any = null)',
  (x: Tensor): Tensor => withoutTape(() => counts(x)),
);

/**
 * Classes drawn by weights, i32, which need not add up to 1.
 * @param x weights [n, classes] or [classes], at least 0
 * @param numSamples how many of each row; without replacement at most as many as there are weights above 0
 * @returns [n, numSamples] or [numSamples]
 * @throws ShapeError; ArgumentError for weights below 0, not finite or all 0, or too many samples
 */
export const multinomial = callable<
  Callable<[x: Tensor, numSamples: number], [replacement: boolean], MultinomialOptions, Tensor, ['x', 'numSamples']>
>(
  'multinomial(x: Tensor, numSamples: int, replacement: bool = false)',
  (x: Tensor, numSamples: number, replacement: boolean) => {
    if (x.ndim !== 1 && x.ndim !== 2)
      throw new ShapeError(`multinomial: expected weights [n, classes] or [classes], got ${formatShape(x.sizes)}`);
    if (numSamples < 1) throw new ArgumentError(`multinomial: expected at least one sample, got ${numSamples}`);
    const classes = x.sizes.at(-1) as number;
    if (!replacement && numSamples > classes)
      throw new ArgumentError(
        `multinomial: expected at most ${classes} samples of ${classes} classes, got ${numSamples}; draw with replacement: true`,
      );
    return withoutTape(() => {
      const p = reshape(x, x.ndim === 1 ? [1, classes] : x.sizes);
      samplingOps.weights({ p }, { least: replacement ? 1 : numSamples });
      const attributes = { samples: numSamples };
      // The largest of weights over exponential numbers are a draw without replacement.
      const index = replacement
        ? samplingOps.multinomial({ cdf: ops.cumsum({ x: p }, { dim: 1 }), state: defaultGenerator() }, attributes)
        : samplingOps.largest({ scores: div(p, exponentials(p.sizes)) }, attributes);
      return x.ndim === 1 ? ops.reshape({ x: index }, { shape: [numSamples] }) : index;
    });
  },
);

/** mean + std · normal numbers, broadcast. */
function spreadOut(mean: Tensor | number, std: Tensor | number): Tensor {
  const shape = broadcastShapes('normal', ...[mean, std].map((x) => (x instanceof Tensor ? x.sizes : [])));
  if (std instanceof Tensor)
    checkOps.within({ x: std }, { low: 0, high: Number.POSITIVE_INFINITY, what: 'standard deviations' });
  else if (!(std >= 0)) throw new ArgumentError(`normal: expected std >= 0, got ${std}`);
  return withoutTape(() => add(mul(randn(shape), std), mean));
}

/**
 * Normal numbers, each of the mean and the standard deviation that stand in tensors, or all of one.
 * @throws ShapeError where they do not broadcast; ArgumentError for a standard deviation below 0
 */
export const normal = alternatives<{
  (mean: Tensor, std?: Tensor | number): Tensor;
  (mean: number, std: Tensor): Tensor;
  (mean: number, std: number, shape: Shape, options?: TensorOptions): Tensor;
}>(
  ['normal(mean: Tensor, std: Tensor|number = 1)', spreadOut],
  ['normal(mean: number, std: Tensor)', spreadOut],
  [
    `normal(mean: number, std: number, shape: int[], ${MADE}`,
    (mean: number, std: number, shape: Shape, dtype: Dtype, requiresGrad: boolean) => {
      if (!(std >= 0)) throw new ArgumentError(`normal: expected std >= 0, got ${std}`);
      const x = randn(shape, { mean, std, dtype });
      return requiresGrad ? withGrad(x) : x;
    },
  ],
);
