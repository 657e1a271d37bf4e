// Reductions over a run of neighbouring dims `dim … end - 1`; functional/reduction.ts splits any other set into such
// runs.
import type { Dtype } from '../dtypes.ts';
import { formatShape, ShapeError } from '../memory/errors.ts';
import type { Shape } from '../tensor.ts';
import { constant, div, mul, scale, sub, where } from './algebra.ts';
import {
  any,
  attrs,
  aux,
  type ByDtype,
  byDtype,
  f32,
  family,
  grad,
  type Kernels,
  type Make,
  numeric,
  type Ops,
  plain,
  row,
  signature,
  type Tensor,
} from './core.ts';
import { expectShape, normalizeDim, split3 } from './shapes.ts';

/** Which dims go: `dim … end - 1`, both counted from the front; `keepdim` leaves them with size 1. */
export interface ReduceAttrs {
  readonly dim: number;
  readonly end: number;
  readonly keepdim: boolean;
}
type VarianceAttrs = ReduceAttrs & { readonly correction: number };
type Dim = { readonly dim: number };

const reduced = () => signature({ x: f32 }, { y: grad }, attrs<ReduceAttrs>());
const extremeOf = () => signature({ x: numeric }, { y: grad }, attrs<ReduceAttrs>());
const position = () => signature({ x: numeric }, { index: plain }, attrs<ReduceAttrs>());
const spreadOf = () => signature({ x: f32 }, { y: grad, mean: aux }, attrs<VarianceAttrs>());

const s = {
  /** Of i32 and u8 in i32, which wraps. */
  sum: signature({ x: any }, { y: grad }, attrs<ReduceAttrs>()),
  mean: reduced(),
  prod: reduced(),
  prodBackward: signature({ g: f32, x: f32 }, { dx: plain }, attrs<ReduceAttrs>()),
  max: extremeOf(),
  min: extremeOf(),
  argmax: position(),
  argmin: position(),
  variance: spreadOf(),
  std: spreadOf(),
  norm: reduced(),
  logsumexp: reduced(),
  cumsum: signature({ x: numeric }, { y: grad }, attrs<Dim>()),
  cumsumBackward: signature({ g: f32 }, { dx: grad }, attrs<Dim>()),
  logcumsumexp: signature({ x: f32 }, { y: grad }, attrs<Dim>()),
  logcumsumexpBackward: signature({ g: f32, x: f32, y: f32 }, { dx: plain }, attrs<Dim>()),
};
type S = typeof s;
declare module './core.ts' {
  interface OpTypes extends S {}
}

function reducedShape(shape: Shape, { dim, end, keepdim }: ReduceAttrs): number[] {
  if (keepdim) return shape.map((size, d) => (d >= dim && d < end ? 1 : size));
  return shape.filter((_, d) => d < dim || d >= end);
}

/** A reduced tensor (a result or its gradient) in the shape of the input, stretched without a copy. */
function restore(o: Ops, y: Tensor, shape: Shape, attributes: ReduceAttrs): Tensor {
  const kept = attributes.keepdim
    ? y
    : o.reshape({ x: y }, { shape: reducedShape(shape, { ...attributes, keepdim: true }) });
  return o.expand({ x: kept }, { shape });
}

const count = (shape: Shape, { dim, end }: ReduceAttrs): number => split3(shape, dim, end)[1];

interface Sizes {
  readonly outer: number;
  readonly r: number;
  readonly inner: number;
  readonly stride: number;
}

/** x as the kernels take it: with the dims `start … end - 1` as the middle one. */
function sizesOf(x: Tensor, start: number, end = start + 1): Sizes {
  const [outer, r, inner] = split3(x.sizes, start, end);
  return { outer, r, inner, stride: inner };
}

/** x as the kernels take it, with `dim`, which has been checked, as the middle one. */
export const lanesOf = (x: Tensor, dim: number): Sizes => sizesOf(x, normalizeDim('dim', dim, x.ndim));

type Call = Sizes & { readonly y: Tensor; readonly x: Tensor };
type Forward = (k: Kernels, call: Call) => void;
type Choice = ByDtype<Forward>;

/** y and x with the dims `start … end - 1` of x as the middle one. */
function callOf(y: Tensor, x: Tensor, start: number, end: number): Call {
  const [outer, r, inner] = split3(x.sizes, start, end);
  return { y, x, outer, r, inner, stride: inner };
}

/** Makes the result, after checking the dims. */
function makeReduced(
  make: Make,
  x: Tensor,
  attributes: ReduceAttrs,
  op: string,
  dtype: Dtype = 'f32',
  emptyFails = false,
): Tensor {
  if (!(attributes.dim >= 0 && attributes.dim <= attributes.end && attributes.end <= x.ndim))
    throw new ShapeError(
      `${op}: expected dims of a tensor of ${x.ndim} dims, got ${attributes.dim} … ${attributes.end - 1}`,
    );
  if (emptyFails && count(x.sizes, attributes) === 0)
    throw new ShapeError(`${op}: expected at least one element to reduce, got shape ${formatShape(x.sizes)}`);
  return make(reducedShape(x.sizes, attributes), dtype);
}

/** The gradient of x. It has of x and y what the row saves. */
type Slope<A> = (
  o: Ops,
  g: Tensor,
  saved: { readonly x: Tensor; readonly y: Tensor },
  attributes: A,
  context: { readonly shapes: { readonly x: Shape }; readonly noted: boolean },
) => Tensor;
type Saves = readonly ('x' | 'y')[];

/** x becomes y, of its dtype and without the dims. */
const reducing = (forward: Forward, saves: Saves, backward: Slope<ReduceAttrs>, emptyFails = false) =>
  row(s.max, {
    outputs: (make, { x }, attributes, op) => ({ y: makeReduced(make, x, attributes, op, x.dtype, emptyFails) }),
    forward: (k, { y }, { x }, { dim, end }) => forward(k, callOf(y, x, dim, end)),
    saves,
    backward: (o, { y: g }, saved, attributes, context) => ({ x: backward(o, g, saved, attributes, context) }),
  });

/** x becomes y, of its dtype and shape, along `dim`. */
export const scanning = (forward: Forward, saves: Saves, backward: Slope<Dim>) =>
  row(s.cumsum, {
    outputs: (make, { x }, { dim }, op) => {
      normalizeDim(op, dim, x.ndim);
      return { y: make(x.sizes, x.dtype) };
    },
    forward: (k, { y }, { x }, { dim }) => forward(k, { y, x, ...lanesOf(x, dim) }),
    saves,
    backward: (o, { y: g }, saved, attributes, context) => ({ x: backward(o, g, saved, attributes, context) }),
  });

/** The gradient is shared evenly among equal extremes (PyTorch's amax, amin). */
function extremeBackward(
  o: Ops,
  g: Tensor,
  { x, y }: { readonly x: Tensor; readonly y: Tensor },
  attributes: ReduceAttrs,
): Tensor {
  const same = o.eq({ a: x, b: restore(o, y, x.sizes, attributes) });
  const mask = o.cast({ x: same }, { dtype: 'f32' });
  return mul(o, mask, restore(o, div(o, g, o.sum({ x: mask }, attributes)), x.sizes, attributes));
}
const extreme = (kernels: Choice) =>
  reducing((k, call) => byDtype(kernels, call.x.dtype)(k, call), ['x', 'y'], extremeBackward, true);

const argument = (kernels: Choice) =>
  row(s.argmax, {
    outputs: (make, { x }, attributes, op) => ({
      index: makeReduced(make, x, attributes, op, 'i32', true),
    }),
    forward: (k, { index: y }, { x }, { dim, end }) => byDtype(kernels, x.dtype)(k, callOf(y, x, dim, end)),
  });

/** variance and std differ in the root and in what multiplies (x − mean). */
const spread = (root: boolean) =>
  row(s.variance, {
    outputs: (make, { x }, attributes, op) => ({
      y: makeReduced(make, x, attributes, op),
      mean: makeReduced(make, x, attributes, op),
    }),
    forward: (k, { y, mean }, { x }, { dim, end, correction }) => {
      k.variance_f32({ y, mean, x, ...sizesOf(x, dim, end), correction });
      if (root) k.sqrt_forward_f32({ y, x: y, n: y.size });
    },
    saves: ['x', 'y'],
    backward: (o, { y: g }, { x, y }, attributes) => {
      // From x and not from the saved mean, so that a derivative of this derivative is whole.
      const { correction: _, ...dims } = attributes;
      const centered = sub(o, x, o.mean({ x }, { ...dims, keepdim: true }));
      const freedom = Math.max(0, count(x.sizes, attributes) - attributes.correction);
      const slope = root ? scale(o, guardedDivide(o, g, y), 1 / freedom) : scale(o, g, 2 / freedom);
      return { x: mul(o, centered, restore(o, slope, x.sizes, attributes)) };
    },
  });

/** g / y, and 0 where y = 0: the subgradient PyTorch takes at the kink of a root. */
function guardedDivide(o: Ops, g: Tensor, y: Tensor): Tensor {
  const zero = constant(o, 0);
  return where(o, o.eq({ a: y, b: zero }), zero, div(o, g, y));
}

/**
 * The gradient of a product, of ops that have derivatives: halves of the lane are multiplied by halves, so that nothing
 * is divided by what may be 0.
 */
function composedProd(o: Ops, g: Tensor, x: Tensor, { dim, end }: ReduceAttrs): Tensor {
  const [outer, r, inner] = split3(x.shape, dim, end);
  const part = (t: Tensor, start: number, length: number): Tensor =>
    o.slice({ x: t }, { dim: 1, start, length, step: 1 });
  const walk = (lanes: Tensor, n: number, upper: Tensor): Tensor => {
    if (n <= 1) return part(upper, 0, n);
    const half = n >> 1;
    const [a, b] = [part(lanes, 0, half), part(lanes, half, half)];
    const odd = (t: Tensor, at: number): Tensor[] => (n % 2 ? [part(t, at, 1)] : []);
    const below = o.concat({ xs: [mul(o, a, b), ...odd(lanes, n - 1)] }, { dim: 1 });
    const dBelow = walk(below, n - half, upper);
    const d = part(dBelow, 0, half);
    return o.concat({ xs: [mul(o, d, b), mul(o, d, a), ...odd(dBelow, half)] }, { dim: 1 });
  };
  const lanes = o.reshape({ x }, { shape: [outer, r, inner] });
  const dx = walk(lanes, r, o.reshape({ x: g }, { shape: [outer, 1, inner] }));
  return o.reshape({ x: dx }, { shape: x.shape });
}

/** The gradient Σ g_j exp(x_i − y_j) over j ≥ i, of ops that have derivatives: in pairs, so that no exp overflows. */
function composedLogcumsumexp(o: Ops, g: Tensor, x: Tensor, y: Tensor, { dim }: Dim): Tensor {
  const [outer, r, inner] = split3(x.shape, normalizeDim('dim', dim, x.ndim));
  const rows = (t: Tensor): Tensor => o.reshape({ x: t }, { shape: [outer, r, 1, inner] });
  const columns = (t: Tensor): Tensor => o.reshape({ x: t }, { shape: [outer, 1, r, inner] });
  const count = o.cumsum({ x: o.full({}, { shape: [r], value: 1, dtype: 'i32' }) }, { dim: 0 });
  const [i, j] = [o.reshape({ x: count }, { shape: [r, 1, 1] }), o.reshape({ x: count }, { shape: [1, r, 1] })];
  const shares = o.exp({
    x: where(o, o.le({ a: i, b: j }), sub(o, rows(x), columns(y)), constant(o, Number.NEGATIVE_INFINITY)),
  });
  const dx = o.sum({ x: mul(o, columns(g), shares) }, { dim: 2, end: 3, keepdim: false });
  return o.reshape({ x: dx }, { shape: x.shape });
}

const sums: Readonly<Record<Dtype, Forward>> = {
  f32: (k, { y, x, outer, r, inner, stride }) => k.sum_f32({ y, x, outer, r, inner, stride, factor: 1 }),
  i32: (k, call) => k.sum_i32(call),
  u8: (k, call) => k.sum_u8(call),
};

export const reduceRows = family(s, () => ({
  sum: row(s.sum, {
    outputs: (make, { x }, attributes, op) => ({
      y: makeReduced(make, x, attributes, op, x.dtype === 'f32' ? 'f32' : 'i32'),
    }),
    forward: (k, { y }, { x }, { dim, end }) => sums[x.dtype](k, callOf(y, x, dim, end)),
    backward: (o, { y: g }, _, attributes, { shapes }) => ({ x: restore(o, g, shapes.x, attributes) }),
  }),
  mean: reducing(
    (k, { y, x, outer, r, inner, stride }) => k.sum_f32({ y, x, outer, r, inner, stride, factor: 1 / r }),
    [],
    (o, g, _, attributes, { shapes }) => restore(o, scale(o, g, 1 / count(shapes.x, attributes)), shapes.x, attributes),
  ),
  prod: reducing(
    (k, call) => k.prod_f32(call),
    ['x'],
    (o, g, { x }, attributes, { noted }) =>
      noted ? composedProd(o, g, x, attributes) : o.prodBackward({ g, x }, attributes),
  ),
  prodBackward: row(s.prodBackward, {
    outputs: (make, { g, x }, attributes, op) => {
      expectShape(op, 'the gradient', g, reducedShape(x.sizes, attributes));
      return { dx: make(x.sizes, 'f32') };
    },
    forward: (k, { dx }, { g, x }, { dim, end }) => k.prod_backward_f32({ dx, g, x, ...sizesOf(x, dim, end) }),
  }),
  max: extreme({ f32: (k, call) => k.max_f32(call), i32: (k, call) => k.max_i32(call) }),
  min: extreme({ f32: (k, call) => k.min_f32(call), i32: (k, call) => k.min_i32(call) }),
  argmax: argument({ f32: (k, call) => k.argmax_f32(call), i32: (k, call) => k.argmax_i32(call) }),
  argmin: argument({ f32: (k, call) => k.argmin_f32(call), i32: (k, call) => k.argmin_i32(call) }),
  variance: spread(false),
  std: spread(true),
  norm: reducing(
    (k, call) => {
      const { y } = call;
      k.sum_squares_f32(call);
      k.sqrt_forward_f32({ y, x: y, n: y.size });
    },
    ['x', 'y'],
    (o, g, { x, y }, attributes) => mul(o, x, restore(o, guardedDivide(o, g, y), x.sizes, attributes)),
  ),
  logsumexp: reducing(
    (k, call) => k.logsumexp_f32(call),
    ['x'],
    (o, g, { x }, attributes) => {
      // softmax, and not exp(x − y): beside a result of 1000 the difference would keep four digits.
      const lanes = o.reshape({ x }, { shape: split3(x.sizes, attributes.dim, attributes.end) });
      const softmax = o.reshape({ x: o.softmax({ x: lanes }, { dim: 1 }) }, { shape: x.sizes });
      return mul(o, softmax, restore(o, g, x.sizes, attributes));
    },
  ),
  cumsum: scanning(
    (k, call) => {
      if (call.x.dtype === 'i32') k.cumsum_forward_i32(call);
      else k.cumsum_forward_f32(call);
    },
    [],
    (o, g, _, dim) => o.cumsumBackward({ g }, dim),
  ),
  cumsumBackward: row(s.cumsumBackward, {
    outputs: (make, { g }, { dim }, op) => {
      normalizeDim(op, dim, g.ndim);
      return { dx: make(g.sizes, 'f32') };
    },
    forward: (k, { dx }, { g }, { dim }) => k.cumsum_backward_f32({ y: dx, x: g, ...lanesOf(g, dim) }),
    backward: (o, { dx: h }, _, attributes) => ({ g: o.cumsum({ x: h }, attributes) }),
  }),
  logcumsumexp: scanning(
    (k, call) => k.logcumsumexp_forward_f32(call),
    ['x', 'y'],
    (o, g, { x, y }, dim, { noted }) =>
      noted ? composedLogcumsumexp(o, g, x, y, dim) : o.logcumsumexpBackward({ g, x, y }, dim),
  ),
  logcumsumexpBackward: row(s.logcumsumexpBackward, {
    outputs: (make, { g, x, y }, { dim }, op) => {
      normalizeDim(op, dim, x.ndim);
      expectShape(op, 'the gradient', g, x.sizes);
      expectShape(op, 'the result', y, x.sizes);
      return { dx: make(x.sizes, 'f32') };
    },
    forward: (k, { dx }, { g, x, y }, { dim }) => k.logcumsumexp_backward_f32({ dx, g, x, y, ...lanesOf(x, dim) }),
  }),
}));
