// Functions that draw random numbers: dropout of whole channels and its kin, and activations with noise.
import { familyOps, ops, withoutTape } from '../autograd.ts';
import { runtime } from '../engine/engine.ts';
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import { layerActivationRows } from '../ops/activation.ts';
import { normalizeDim } from '../ops/shapes.ts';
import { defaultGenerator } from '../random.ts';
import { type Callable, callable } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { asTensor, constantFor } from './arguments.ts';
import type { DropoutFunction } from './dropout.ts';
import { type InplaceOptions, overwrite, writing } from './overwrite.ts';
import { argmax, softmax } from './reduction.ts';

const activationOps = familyOps(layerActivationRows);

/** Uniform numbers from low to below high, which live as long as what is computed from `beside`. */
function uniform(beside: Tensor, shape: readonly number[], low = 0, high = 1): Tensor {
  const made = ops.uniform({ state: defaultGenerator() }, { shape: [...shape], low, high });
  runtime().arena.join(made.block, beside.block);
  return made;
}

/** The shape of a mask with one number for each channel of [n, channels, ...], or [channels, ...] without n. */
const channelsOf = ({ sizes }: Tensor, batched: boolean): number[] =>
  sizes.map((size, d) => (d < (batched ? 2 : 1) ? size : 1));

function checkP(op: string, p: number): void {
  if (!(p >= 0 && p <= 1)) throw new ArgumentError(`${op}: expected p from 0 to 1, got ${p}`);
}

/** Dropout of whole channels with `spatial` dims each. */
/* @__NO_SIDE_EFFECTS__ */
function channelDropout(spatial: number, alone: boolean) {
  const name = `dropout${spatial}d`;
  const drop = (x: Tensor, p: number): Tensor => {
    const ones = constantFor(x, 1, 'f32', channelsOf(x, x.ndim === spatial + 2 || !alone));
    return ops.mul({ a: x, b: ops.dropout({ x: ones, state: defaultGenerator() }, { p }) });
  };
  return callable<DropoutFunction>(
    `${name}(x: Tensor, p: number = 0.5, training: bool = true, inplace: bool = false)`,
    (x: Tensor, p: number, training: boolean, inplace: boolean) => {
      checkP(name, p);
      if (x.ndim !== spatial + 2 && x.ndim !== spatial + 1)
        throw new ShapeError(
          `${name}: expected input of ${spatial + 1} or ${spatial + 2} dims, got ${formatShape(x.sizes)}`,
        );
      if (!training || p === 0) return x;
      return inplace ? overwrite(x, drop, [p]) : drop(x, p);
    },
  );
}

/** {@link dropout} of whole channels of [n, channels, length] or [channels, length] (Tompson et al. 2015). */
export const dropout1d = channelDropout(1, true);
/**
 * {@link dropout} of whole channels of [n, channels, height, width] (Tompson et al. 2015). Three dims are those of
 * {@link dropout1d}, as in PyTorch.
 */
export const dropout2d = channelDropout(2, false);
/**
 * {@link dropout} of whole channels of [n, channels, depth, height, width] or without n (Tompson et al. 2015).
 */
export const dropout3d = channelDropout(3, true);

/** Options of {@link alphaDropout}, {@link featureAlphaDropout} and {@link rrelu}. */
export interface AlphaDropoutOptions extends InplaceOptions {
  /** The probability from 0 to 1 that an element is dropped. @defaultValue 0.5 */
  p?: number;
  /** Whether anything is dropped at all. @defaultValue false */
  training?: boolean;
}

/** What SELU comes to at −∞. */
const LEAST = -1.7580993408473766;

/* @__NO_SIDE_EFFECTS__ */
function selfNormalising(name: string, maskOf: (x: Tensor) => readonly number[]) {
  const drop = (x: Tensor, p: number): Tensor => {
    if (p === 1) return ops.scale({ x }, { alpha: 0, beta: 0 });
    const a = 1 / Math.sqrt((LEAST * LEAST * p + 1) * (1 - p));
    const kept = withoutTape(() => {
      const mask = ops.ge({ a: uniform(x, maskOf(x)), b: constantFor(x, p) });
      return ops.cast({ x: mask }, { dtype: 'f32' });
    });
    // a (x where it is kept, else LEAST) + b, of which b = −a p LEAST leaves the mean as it is.
    const rest = ops.scale({ x: kept }, { alpha: -a * LEAST, beta: a * LEAST * (1 - p) });
    return ops.add({ a: ops.mul({ a: x, b: ops.scale({ x: kept }, { alpha: a, beta: 0 }) }), b: rest });
  };
  return callable<Callable<[x: Tensor], [p: number, training: boolean, inplace: boolean], AlphaDropoutOptions, Tensor>>(
    `${name}(x: Tensor, p: number = 0.5, training: bool = false, inplace: bool = false)`,
    (x: Tensor, p: number, training: boolean, inplace: boolean) => {
      checkP(name, p);
      if (!training || p === 0) return x;
      return inplace ? overwrite(x, drop, [p]) : drop(x, p);
    },
  );
}

/** Dropout that leaves mean and variance of self-normalising networks as they are (Klambauer et al. 2017). */
export const alphaDropout = selfNormalising('alphaDropout', (x) => x.sizes);
/** {@link alphaDropout} of whole channels of [n, channels, ...]. */
export const featureAlphaDropout = selfNormalising('featureAlphaDropout', (x) => channelsOf(x, true));

/** Options of {@link rrelu}. */
export interface RreluOptions extends InplaceOptions {
  /** The least slope below 0. @defaultValue 1/8 */
  lower?: number;
  /** The greatest one. @defaultValue 1/3 */
  upper?: number;
  /** Whether slopes are drawn; else they are the mean of the two. @defaultValue false */
  training?: boolean;
}

/** x where x > 0, else x times a slope that is drawn from lower … upper in training (Xu et al. 2015). */
export const rrelu = writing<
  Callable<[x: Tensor], [lower: number, upper: number, training: boolean, inplace: boolean], RreluOptions, Tensor>
>(
  'rrelu(x: Tensor, lower: number = 0.125, upper: number = 0.3333333333333333, training: bool = false, inplace: bool = false)',
  (x: Tensor, lower: number, upper: number, training: boolean) => {
    if (!(lower <= upper)) throw new ArgumentError(`rrelu: expected lower <= upper, got ${lower} and ${upper}`);
    if (!training) return activationOps.leakyRelu({ x }, { negativeSlope: (lower + upper) / 2 });
    const low = ops.le({ a: x.detach(), b: asTensor('rrelu', 0, x) });
    return ops.where({ condition: low, a: ops.mul({ a: x, b: uniform(x, x.sizes, lower, upper) }), b: x });
  },
);

/** Options of {@link gumbelSoftmax}. */
export interface GumbelSoftmaxOptions {
  /** The temperature, above 0: the smaller, the nearer to classes. @defaultValue 1 */
  tau?: number;
  /** Whether the result is a class, 1 at one place, with the gradient of the soft one. @defaultValue false */
  hard?: boolean;
  /** The dim whose elements add up to 1; negative ones count from the end. @defaultValue -1 */
  dim?: number;
}

/**
 * A sample of the classes that `logits` stand for, made differentiable (Jang et al. 2017; Maddison et al. 2017).
 * @throws ArgumentError for tau that is not above 0
 */
export const gumbelSoftmax = callable<
  Callable<[logits: Tensor], [tau: number, hard: boolean, eps: 1e-10, dim: number], GumbelSoftmaxOptions, Tensor>
>(
  'gumbelSoftmax(logits: Tensor, tau: number = 1, hard: bool = false, -eps: number = 1e-10, dim: int = -1)',
  (logits: Tensor, ...[tau, hard, , dim]: [number, boolean, number, number]) => {
    if (!(tau > 0)) throw new ArgumentError(`gumbelSoftmax: expected tau > 0, got ${tau}`);
    const d = normalizeDim('gumbelSoftmax', dim, logits.ndim);
    const noise = withoutTape(() => {
      const exponential = ops.neg({ x: ops.log({ x: uniform(logits, logits.sizes) }) });
      return ops.neg({ x: ops.log({ x: exponential }) });
    });
    const soft = softmax(ops.scale({ x: ops.add({ a: logits, b: noise }) }, { alpha: 1 / tau, beta: 0 }), d);
    if (!hard) return soft;
    const fixed = withoutTape(() => {
      const value = soft.detach();
      const index = argmax(value, d, true);
      const src = constantFor(logits, 1, 'f32', index.sizes);
      const classes = ops.scatterAdd({ x: constantFor(logits, 0, 'f32', logits.sizes), index, src }, { dim: d });
      return ops.sub({ a: classes, b: value });
    });
    return ops.add({ a: fixed, b: soft });
  },
);
