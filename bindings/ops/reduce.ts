// Reductions over a run of neighbouring dims `dim … end - 1`; methods.ts splits any other set of dims into such runs.
import type { Kernels } from '../runtime/commands.ts';
import { formatShape, ShapeError } from '../runtime/errors.ts';
import type { Dtype, Shape } from '../tensor.ts';
import { expectDtype, expectShape, like, normalizeDim, split3 } from './shapes.ts';
import {
  type KernelRow,
  noSecondDerivative,
  type Ops,
  type Rows,
  type Saved,
  type Saves,
  type Tensor,
} from './types.ts';

/** Which dims go: `dim … end - 1`, both counted from the front; `keepdim` leaves them with size 1. */
export interface ReduceAttrs {
  readonly dim: number;
  readonly end: number;
  readonly keepdim: boolean;
}
type VarianceAttrs = ReduceAttrs & { readonly correction: number };
type Dim = { readonly dim: number };

export interface ReduceOps {
  sum(x: Tensor, attrs: ReduceAttrs): Tensor;
  mean(x: Tensor, attrs: ReduceAttrs): Tensor;
  prod(x: Tensor, attrs: ReduceAttrs): Tensor;
  prodBackward(g: Tensor, x: Tensor, attrs: ReduceAttrs): Tensor;
  max(x: Tensor, attrs: ReduceAttrs): Tensor;
  min(x: Tensor, attrs: ReduceAttrs): Tensor;
  argmax(x: Tensor, attrs: ReduceAttrs): Tensor;
  argmin(x: Tensor, attrs: ReduceAttrs): Tensor;
  variance(x: Tensor, attrs: VarianceAttrs): Tensor;
  std(x: Tensor, attrs: VarianceAttrs): Tensor;
  norm(x: Tensor, attrs: ReduceAttrs): Tensor;
  logsumexp(x: Tensor, attrs: ReduceAttrs): Tensor;
  cumsum(x: Tensor, attrs: Dim): Tensor;
  cumsumBackward(g: Tensor, attrs: Dim): Tensor;
}

function reducedShape(shape: Shape, { dim, end, keepdim }: ReduceAttrs): number[] {
  if (keepdim) return shape.map((size, d) => (d >= dim && d < end ? 1 : size));
  return shape.filter((_, d) => d < dim || d >= end);
}

/** A reduced tensor (a result or its gradient) in the shape of the input, stretched without a copy. */
function restore(o: Ops, y: Tensor, x: Tensor, attrs: ReduceAttrs): Tensor {
  const kept = attrs.keepdim ? y : o.reshape(y, { shape: reducedShape(x.shape, { ...attrs, keepdim: true }) });
  return o.expand(kept, { shape: x.shape });
}

const count = (x: Tensor, { dim, end }: ReduceAttrs): number => split3(x.shape, dim, end)[1];

type Sizes = [outer: number, r: number, inner: number, stride: number];

/** x as the kernels take it: with the dims `start … end - 1` as the middle one. */
function sizesOf(x: Tensor, start: number, end = start + 1): Sizes {
  const [outer, r, inner] = split3(x.shape, start, end);
  return [outer, r, inner, inner];
}

function reduction<A extends ReduceAttrs>(
  op: string,
  forward: (k: Kernels, y: Tensor, x: Tensor, sizes: Sizes, attrs: A) => void,
  saves: Saves,
  backward: ((o: Ops, g: Tensor, saved: Saved<[Tensor], A>) => Tensor) | null,
  { dtype = 'f32', emptyFails = false }: { dtype?: Dtype; emptyFails?: boolean } = {},
): KernelRow<[Tensor], A> {
  return {
    infer: ([x], attrs) => {
      expectDtype(op, x, 'f32');
      if (!(attrs.dim >= 0 && attrs.dim <= attrs.end && attrs.end <= x.ndim))
        throw new ShapeError(`${op}: expected dims of a tensor of ${x.ndim} dims, got ${attrs.dim} … ${attrs.end - 1}`);
      if (emptyFails && count(x, attrs) === 0)
        throw new ShapeError(`${op}: expected at least one element to reduce, got shape ${formatShape(x.shape)}`);
      return [{ shape: reducedShape(x.shape, attrs), dtype }];
    },
    forward: (k, [y], [x], attrs) => forward(k, y as Tensor, x, sizesOf(x, attrs.dim, attrs.end), attrs),
    saves,
    ...(backward && { backward: (o: Ops, g: Tensor, saved: Saved<[Tensor], A>) => [backward(o, g, saved)] }),
  };
}

/** The gradient is shared evenly among equal extremes (PyTorch's amax, amin). */
function extremeBackward(
  o: Ops,
  g: Tensor,
  { inputs: [x], outputs: [y], attrs }: Saved<[Tensor], ReduceAttrs>,
): Tensor {
  const mask = o.cast(o.eq(x, restore(o, y as Tensor, x, attrs)), { dtype: 'f32' });
  return o.mul(mask, restore(o, o.div(g, o.sum(mask, attrs)), x, attrs));
}

/** variance and std differ in the root and in what multiplies (x − mean). */
function spread(op: string, root: boolean): KernelRow<[Tensor], VarianceAttrs> {
  const base = reduction<VarianceAttrs>(op, () => {}, 'both', null);
  return {
    ...base,
    infer: (inputs, attrs) => {
      const [meta] = base.infer(inputs, attrs);
      return [meta, meta] as NonNullable<typeof meta>[]; // the statistic and the mean
    },
    forward: (k, [y, mean], [x], attrs) => {
      const result = y as Tensor;
      k.variance_f32(result, mean as Tensor, x, ...sizesOf(x, attrs.dim, attrs.end), attrs.correction);
      if (root) k.sqrt_forward_f32(result, result, result.size);
    },
    backward: (o, g, { inputs: [x], outputs: [y], attrs }) => {
      // From x and not from the saved mean, so that a derivative of this derivative is whole.
      const centered = o.sub(x, o.mean(x, { ...attrs, keepdim: true }));
      const freedom = Math.max(0, count(x, attrs) - attrs.correction);
      const slope = root
        ? o.scale(guardedDivide(o, g, y as Tensor), { alpha: 1 / freedom, beta: 0 })
        : o.scale(g, { alpha: 2 / freedom, beta: 0 });
      return [o.mul(centered, restore(o, slope, x, attrs))];
    },
  };
}

/** g / y, and 0 where y = 0: the subgradient PyTorch takes at the kink of a root. */
function guardedDivide(o: Ops, g: Tensor, y: Tensor): Tensor {
  const zero = o.full({ shape: [], value: 0 });
  return o.where(o.eq(y, zero), zero, o.div(g, y));
}

function scan(
  op: string,
  forward: (k: Kernels, y: Tensor, x: Tensor, sizes: Sizes) => void,
  again: (o: Ops, g: Tensor, attrs: Dim) => Tensor,
): KernelRow<[Tensor], Dim> {
  return {
    infer: ([x], { dim }) => {
      expectDtype(op, x, 'f32');
      normalizeDim(op, dim, x.ndim);
      return [like(x)];
    },
    forward: (k, [y], [x], { dim }) => forward(k, y as Tensor, x, sizesOf(x, normalizeDim(op, dim, x.ndim))),
    saves: 'none',
    backward: (o, g, { attrs }) => [again(o, g, attrs)],
  };
}

export const reduceRows: Rows<ReduceOps> = {
  sum: reduction(
    'sum',
    (k, y, x, sizes) => k.sum_f32(y, x, ...sizes, 1),
    'none',
    (o, g, { inputs: [x], attrs }) => restore(o, g, x, attrs),
  ),
  mean: reduction(
    'mean',
    (k, y, x, sizes) => k.sum_f32(y, x, ...sizes, 1 / sizes[1]),
    'none',
    (o, g, { inputs: [x], attrs }) => restore(o, o.scale(g, { alpha: 1 / count(x, attrs), beta: 0 }), x, attrs),
  ),
  prod: reduction(
    'prod',
    (k, y, x, sizes) => k.prod_f32(y, x, ...sizes),
    'inputs',
    (o, g, { inputs: [x], attrs }) => o.prodBackward(g, x, attrs),
  ),
  prodBackward: {
    infer: ([g, x], attrs) => {
      for (const input of [g, x]) expectDtype('prodBackward', input, 'f32');
      expectShape('prodBackward', 'the gradient', g, reducedShape(x.shape, attrs));
      return [like(x)];
    },
    forward: (k, [dx], [g, x], attrs) => k.prod_backward_f32(dx as Tensor, g, x, ...sizesOf(x, attrs.dim, attrs.end)),
    saves: 'none',
    backward: noSecondDerivative('prod'),
  },
  max: reduction('max', (k, y, x, sizes) => k.max_f32(y, x, ...sizes), 'both', extremeBackward, { emptyFails: true }),
  min: reduction('min', (k, y, x, sizes) => k.min_f32(y, x, ...sizes), 'both', extremeBackward, { emptyFails: true }),
  argmax: reduction('argmax', (k, y, x, sizes) => k.argmax_f32(y, x, ...sizes), 'none', null, {
    dtype: 'i32',
    emptyFails: true,
  }),
  argmin: reduction('argmin', (k, y, x, sizes) => k.argmin_f32(y, x, ...sizes), 'none', null, {
    dtype: 'i32',
    emptyFails: true,
  }),
  variance: spread('variance', false),
  std: spread('std', true),
  norm: reduction(
    'norm',
    (k, y, x, sizes) => {
      k.sum_squares_f32(y, x, ...sizes);
      k.sqrt_forward_f32(y, y, y.size);
    },
    'both',
    (o, g, { inputs: [x], outputs: [y], attrs }) => o.mul(x, restore(o, guardedDivide(o, g, y as Tensor), x, attrs)),
  ),
  logsumexp: reduction(
    'logsumexp',
    (k, y, x, sizes) => k.logsumexp_f32(y, x, ...sizes),
    'inputs',
    (o, g, { inputs: [x], attrs }) => {
      // softmax, and not exp(x − y): beside a result of 1000 the difference would keep four digits.
      const lanes = o.reshape(x, { shape: split3(x.shape, attrs.dim, attrs.end) });
      const softmax = o.reshape(o.softmax(lanes, { dim: 1 }), { shape: x.shape });
      return o.mul(softmax, restore(o, g, x, attrs));
    },
  ),
  cumsum: scan(
    'cumsum',
    (k, y, x, sizes) => k.cumsum_forward_f32(y, x, ...sizes),
    (o, g, attrs) => o.cumsumBackward(g, attrs),
  ),
  cumsumBackward: scan(
    'cumsumBackward',
    (k, y, x, sizes) => k.cumsum_backward_f32(y, x, ...sizes),
    (o, g, attrs) => o.cumsum(g, attrs),
  ),
};
