// Losses of classes.
import { familyOps, ops } from '../autograd.ts';
import { ArgumentError, DtypeError, formatShape, ShapeError } from '../memory/errors.ts';
import { crossEntropyRows, nllRows } from '../ops/loss.ts';
import { sameShape } from '../ops/shapes.ts';
import { type Callable, callable } from '../signature.ts';
import { numelOf, type Tensor } from '../tensor.ts';
import { type LossOptions, PAIR, REDUCTION, type Reduction, reduce, WEIGHT } from './loss-parts.ts';
import { sum } from './reduction.ts';
import { reshape, transpose } from './shape.ts';

const crossEntropyOps = familyOps(crossEntropyRows);
const nllOps = familyOps(nllRows);

/** Options of {@link nllLoss}. */
export interface ClassLossOptions extends LossOptions {
  /** The weight of each class, f32 [classes]; null: 1. @defaultValue null */
  weight?: Tensor | null;
  /** Targets of this class count for nothing. @defaultValue -100 */
  ignoreIndex?: number;
}

/** Options of {@link crossEntropy}. */
export interface CrossEntropyOptions extends ClassLossOptions {
  /**
   * The share from 0 to 1 of each target that is spread evenly over all classes (Szegedy et al. 2016).
   * @defaultValue 0
   */
  labelSmoothing?: number;
}

/** Weighted mean: the sum of the losses over the sum of their targets' weights. */
function reduceWeighted(losses: Tensor, reduction: Reduction, weights: () => Tensor): Tensor {
  if (reduction !== 'mean') return reduce(losses, reduction);
  return ops.div({ a: sum(losses), b: sum(weights()) });
}

/** x [n, classes, ...] as [n, classes, inner], and the shape of its targets. */
function classLayout(op: string, x: Tensor): { n: number; classes: number; inner: number; targets: number[] } {
  const [n, classes] = x.ndim === 1 ? [1, x.sizes[0] as number] : (x.sizes as unknown as [number, number]);
  if (x.ndim === 0) throw new ShapeError(`${op}: expected input [n, classes, ...], got a single number`);
  const targets = x.ndim === 1 ? [] : [n, ...x.sizes.slice(2)];
  return { n, classes, inner: numelOf(x.sizes.slice(2)), targets };
}

/** @throws DtypeError, ShapeError, which say how classes are given */
function expectTargets(op: string, target: Tensor, shape: readonly number[]): void {
  if (target.dtype !== 'i32' && (target.dtype !== 'f32' || sameShape(target.sizes, shape)))
    throw new DtypeError(
      `${op}: expected class targets in i32, got ${target.dtype} ${formatShape(target.sizes)}; convert with .to('i32'), or make them so: tensor([…], { dtype: 'i32' })`,
    );
  if (!sameShape(target.sizes, shape) || target.dtype !== 'i32')
    throw new ShapeError(
      `${op}: expected class targets of shape ${formatShape(shape)}, got ${formatShape(target.sizes)}`,
    );
}

type ClassArguments = [Tensor | null, null, number, null, Reduction];

const CLASSES = `${PAIR}${WEIGHT}, -sizeAverage: bool|null = null, ignoreIndex: int = -100, -reduce: bool|null = null, ${REDUCTION}`;

/**
 * The negative log-likelihood −weight[target] · x[target]. The mean is weighted: it divides by the targets' weights.
 * @param x log-probabilities [n, classes, ...] or [classes]
 * @param target i32 classes [n, ...] or []
 * @throws ShapeError, DtypeError; ArgumentError for a class out of range
 */
export const nllLoss = callable<
  Callable<
    [x: Tensor, target: Tensor],
    [weight: Tensor | null, sizeAverage: null, ignoreIndex: number, reduce: null, reduction: Reduction],
    ClassLossOptions,
    Tensor,
    ['x', 'target']
  >
>(`nllLoss${CLASSES})`, (x: Tensor, target: Tensor, ...[weight, , ignoreIndex, , reduction]: ClassArguments) => {
  const { n, classes, inner, targets } = classLayout('nllLoss', x);
  expectTargets('nllLoss', target, targets);
  const flat = reshape(target, [n, inner]);
  const losses = nllOps.nll({ logp: reshape(x, [n, classes, inner]), target: flat, weight }, { ignoreIndex });
  const shaped = ops.reshape({ x: losses }, { shape: targets });
  return reduceWeighted(shaped, reduction, () =>
    nllOps.classWeights({ target: flat, weight }, { classes, ignoreIndex }),
  );
});

/**
 * The cross-entropy −Σ target · log softmax(x) over the classes, on logits. With classes as targets the mean is
 * weighted: it divides by the targets' weights.
 * @param x [n, classes, ...] or [classes]
 * @param target i32 classes [n, ...] or [], or f32 probabilities of x's shape
 * @throws ShapeError, DtypeError; ArgumentError for a class out of range
 */
export const crossEntropy = callable<
  Callable<
    [x: Tensor, target: Tensor],
    [
      weight: Tensor | null,
      sizeAverage: null,
      ignoreIndex: number,
      reduce: null,
      reduction: Reduction,
      labelSmoothing: number,
    ],
    CrossEntropyOptions,
    Tensor,
    ['x', 'target']
  >
>(
  `crossEntropy${CLASSES}, labelSmoothing: number = 0)`,
  (x: Tensor, target: Tensor, ...[weight, , ignoreIndex, , reduction, labelSmoothing]: [...ClassArguments, number]) => {
    const { n, classes, inner, targets } = classLayout('crossEntropy', x);
    if (target.dtype === 'f32' && sameShape(target.sizes, x.sizes))
      return probabilityCrossEntropy(x, target, { reduction, weight, labelSmoothing, n });
    expectTargets('crossEntropy', target, targets);
    // Classes last: [n, inner, classes] as rows.
    const logits =
      inner === 1
        ? reshape(x, [n, classes])
        : reshape(transpose(reshape(x, [n, classes, inner]), 1, 2), [n * inner, classes]);
    const flat = reshape(target, [n * inner]);
    const losses = crossEntropyOps.crossEntropy({ x: logits, target: flat, weight }, { ignoreIndex, labelSmoothing });
    const shaped = reduction === 'none' ? ops.reshape({ x: losses }, { shape: targets }) : losses;
    return reduceWeighted(shaped, reduction, () =>
      crossEntropyOps.classWeights({ target: flat, weight }, { classes, ignoreIndex }),
    );
  },
);

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
  if (!(labelSmoothing >= 0 && labelSmoothing <= 1))
    throw new ArgumentError(`crossEntropy: expected labelSmoothing from 0 to 1, got ${labelSmoothing}`);
  const dim = x.ndim === 1 ? 0 : 1;
  const classes = x.sizes[dim] as number;
  const smooth =
    labelSmoothing > 0
      ? ops.scale({ x: target }, { alpha: 1 - labelSmoothing, beta: labelSmoothing / classes })
      : target;
  let terms = ops.mul({ a: ops.logSoftmax({ x }, { dim }), b: smooth });
  if (weight) {
    const shape = x.sizes.map((size, d) => (d === dim ? size : 1));
    terms = ops.mul({ a: terms, b: reshape(weight, shape) });
  }
  const losses = ops.neg({ x: sum(terms, dim) });
  if (reduction !== 'mean') return reduce(losses, reduction);
  // PyTorch divides by the number of targets, not by their weights.
  return ops.scale({ x: sum(losses) }, { alpha: 1 / (n * numelOf(x.sizes.slice(2))), beta: 0 });
}
