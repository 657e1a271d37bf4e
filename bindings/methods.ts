// The functions on tensors, written once: each is exported as a function and, from the same definition, a method of Tensor.
import { type BackwardOptions, backward, ops } from './autograd.ts';
import { expectDtype, normalizeDim, sameShape } from './ops/shapes.ts';
import type { ReduceAttrs } from './ops/reduce.ts';
import { ArgumentError, formatShape, ShapeError } from './runtime/errors.ts';
import { type Dtype, numelOf, type Shape, Tensor } from './tensor.ts';

/** A tensor, or a number that stands for a tensor of shape []. */
export type TensorLike = Tensor | number;
/** One dim or several; negative ones count from the end. */
export type Dims = number | readonly number[];
type KeepDim = { keepdim?: boolean };

function asTensor(op: string, x: TensorLike, beside?: Tensor): Tensor {
  if (x instanceof Tensor) return x;
  if (typeof x !== 'number') throw new ArgumentError(`${op}: expected a tensor or a number, got ${x === null ? 'null' : typeof x}`);
  const constant = ops.full({ shape: [], value: x });
  // Beside an integer tensor a whole number is an integer.
  return beside?.dtype === 'i32' && Number.isInteger(x) ? ops.cast(constant, { dtype: 'i32' }) : constant;
}

const binary =
  (name: 'add' | 'sub' | 'mul' | 'div' | 'pow' | 'maximum' | 'minimum' | 'eq' | 'ne' | 'lt' | 'le' | 'gt' | 'ge') =>
  (x: Tensor, other: TensorLike): Tensor =>
    ops[name](asTensor(name, x), asTensor(name, other, x));

type Plain = 'neg' | 'abs' | 'exp' | 'expm1' | 'log' | 'log1p' | 'sqrt' | 'rsqrt' | 'reciprocal' | 'square' | 'sign' | 'floor' | 'ceil' | 'round' | 'trunc' | 'sin' | 'cos' | 'erf' | 'tanh' | 'sigmoid' | 'relu';
const unary =
  (name: Plain) =>
  (x: Tensor): Tensor =>
    ops[name](asTensor(name, x));

/** The dims of `x` to reduce, sorted; all of them without `dims`. */
function reducedDims(op: string, x: Tensor, dims: Dims | undefined): number[] {
  if (dims === undefined) return x.shape.map((_, d) => d);
  const list = (typeof dims === 'number' ? [dims] : [...dims]).map((dim) => normalizeDim(op, dim, x.ndim));
  if (new Set(list).size !== list.length) throw new ShapeError(`${op}: expected each dim once, got ${formatShape(list)}`);
  // A single number has no dims to name, but dim 0 and -1 are taken, as in PyTorch.
  return x.ndim === 0 ? [] : list.sort((a, b) => a - b);
}

/** [dim, end) for every run of neighbours in sorted `dims`, the last first. */
function runs(dims: readonly number[]): [dim: number, end: number][] {
  const found: [number, number][] = [];
  for (const dim of dims) {
    const last = found.at(-1);
    if (last && last[1] === dim) last[1]++;
    else found.push([dim, dim + 1]);
  }
  return found.length > 0 ? found.reverse() : [[0, 0]];
}

/** Reductions that may be taken run by run. */
const reduction =
  (name: 'sum' | 'mean' | 'prod' | 'norm') =>
  (x: Tensor, dims?: Dims, { keepdim = false }: KeepDim = {}): Tensor => {
    const input = asTensor(name, x);
    return runs(reducedDims(name, input, dims)).reduce((y, [dim, end]) => ops[name](y, { dim, end, keepdim }), input);
  };

/** Reductions that need all their dims together: other dims are moved to the front first. */
function together(name: string, x: Tensor, dims: Dims | undefined, keepdim: boolean, row: (x: Tensor, attrs: ReduceAttrs) => Tensor): Tensor {
  const input = asTensor(name, x);
  const reduced = reducedDims(name, input, dims);
  const [run, ...rest] = runs(reduced);
  if (run && rest.length === 0) return row(input, { dim: run[0], end: run[1], keepdim });
  const kept = input.shape.map((_, d) => d).filter((d) => !reduced.includes(d));
  const y = row(ops.permute(input, { dims: [...kept, ...reduced] }), { dim: kept.length, end: input.ndim, keepdim: false });
  return keepdim ? ops.reshape(y, { shape: input.shape.map((size, d) => (reduced.includes(d) ? 1 : size)) }) : y;
}

/** Run by run, equal extremes would not share evenly, and the softmax of a lane of −∞ would be NaN. */
const whole =
  (name: 'max' | 'min' | 'logsumexp') =>
  (x: Tensor, dims?: Dims, { keepdim = false }: KeepDim = {}): Tensor =>
    together(name, x, dims, keepdim, (input, attrs) => ops[name](input, attrs));

const spread =
  (name: 'variance' | 'std') =>
  (x: Tensor, dims?: Dims, { keepdim = false, correction = 1 }: KeepDim & { correction?: number } = {}): Tensor =>
    together(name, x, dims, keepdim, (input, attrs) => ops[name](input, { ...attrs, correction }));

const argument =
  (name: 'argmax' | 'argmin') =>
  (x: Tensor, dim?: number, { keepdim = false }: KeepDim = {}): Tensor =>
    together(name, x, dim, keepdim, (input, attrs) => ops[name](input, attrs));

/** `shape` with its one -1 replaced by what is left. */
function inferSize(op: string, x: Tensor, shape: Shape): Shape {
  const at = shape.indexOf(-1);
  if (at < 0) return shape;
  const rest = numelOf(shape.filter((_, d) => d !== at));
  if (shape.lastIndexOf(-1) !== at || rest === 0 || x.size % rest !== 0)
    throw new ShapeError(`${op}: expected a shape of ${x.size} elements with at most one -1, got ${formatShape(shape)}`);
  return shape.map((size, d) => (d === at ? x.size / rest : size));
}

function sliceOnce(x: Tensor, dim: number, start: number, end: number, step: number): Tensor {
  const d = normalizeDim('slice', dim, x.ndim);
  const size = x.shape[d];
  if (size === undefined) throw new ShapeError('slice: expected a tensor of at least 1 dim, got a single number');
  if (!(Number.isInteger(step) && step >= 1)) throw new ArgumentError(`slice: expected step >= 1, got ${step}`);
  const clip = (i: number): number => Math.min(size, Math.max(0, i < 0 ? i + size : i));
  const from = clip(start);
  return ops.slice(x, { dim: d, start: from, length: Math.max(0, Math.ceil((clip(end) - from) / step)), step });
}

function multiply(x: Tensor, other: Tensor): Tensor {
  const a = asTensor('matmul', x);
  const b = asTensor('matmul', other);
  if (a.ndim === 0 || b.ndim === 0)
    throw new ShapeError(`matmul: expected at least 1 dim each, got ${formatShape(a.shape)} and ${formatShape(b.shape)}; use mul`);
  if (a.shape.at(-1) !== b.shape.at(b.ndim === 1 ? 0 : -2))
    throw new ShapeError(`matmul: expected inner dimensions to match, got ${formatShape(a.shape)} and ${formatShape(b.shape)}`);
  // Vectors become a row or a column, and lose that dim again.
  const rows = a.ndim === 1 ? ops.reshape(a, { shape: [1, a.size] }) : a;
  const columns = b.ndim === 1 ? ops.reshape(b, { shape: [b.size, 1] }) : b;
  const folds = rows.ndim > 2 && columns.ndim === 2 && rows.isContiguous();
  const [k, n] = columns.shape.slice(-2) as [number, number];
  // One product of many rows instead of a batch of small ones; its weight gradient is one product as well.
  const y = folds
    ? ops.reshape(ops.matmul(ops.reshape(rows, { shape: [numelOf(rows.shape.slice(0, -1)), k] }), columns), { shape: [...rows.shape.slice(0, -1), n] })
    : ops.matmul(rows, columns);
  if (a.ndim > 1 && b.ndim > 1) return y;
  const shape = y.shape.filter((_, d) => !(a.ndim === 1 && d === y.ndim - 2) && !(b.ndim === 1 && d === y.ndim - 1));
  return ops.reshape(y, { shape });
}

function splitInto(x: Tensor, size: number | readonly number[], dim = 0): Tensor[] {
  const d = normalizeDim('split', dim, x.ndim);
  const total = x.shape[d];
  if (total === undefined) throw new ShapeError('split: expected a tensor of at least 1 dim, got a single number');
  if (typeof size === 'number' && !(Number.isInteger(size) && size >= 1))
    throw new ArgumentError(`split: expected a size >= 1, got ${size}`);
  const sizes =
    typeof size === 'number'
      ? Array.from({ length: Math.max(1, Math.ceil(total / size)) }, (_, i) => Math.min(size, total - i * size))
      : size;
  if (sizes.reduce((a, b) => a + b, 0) !== total)
    throw new ShapeError(`split: expected sizes that add up to ${total}, got ${formatShape(sizes)}`);
  let start = 0;
  return sizes.map((length) => {
    const part = ops.slice(x, { dim: d, start, length, step: 1 });
    start += length;
    return part;
  });
}

/** Joins tensors along an existing dim (PyTorch's `cat`). */
export function concat(tensors: readonly Tensor[], dim = 0): Tensor {
  const [first] = tensors;
  if (!first) throw new ArgumentError('concat: expected at least one tensor, got none');
  if (first.ndim === 0) throw new ShapeError('concat: expected tensors of at least 1 dim, got a single number; use stack');
  return ops.concat(...tensors, { dim: normalizeDim('concat', dim, first.ndim) });
}

/** Joins tensors of one shape along a new dim. */
export function stack(tensors: readonly Tensor[], dim = 0): Tensor {
  const [first] = tensors;
  if (!first) throw new ArgumentError('stack: expected at least one tensor, got none');
  const d = normalizeDim('stack', dim, first.ndim + 1);
  for (const x of tensors)
    if (!sameShape(x.shape, first.shape))
      throw new ShapeError(`stack: expected tensors of one shape, got ${formatShape(first.shape)} and ${formatShape(x.shape)}`);
  return ops.concat(...tensors.map((x) => methods.unsqueeze(x, d)), { dim: d });
}

/** `x` where the mask is not 0, else `other`; numbers stand for constants. */
export function where(condition: Tensor, x: TensorLike, other: TensorLike): Tensor {
  return ops.where(condition, asTensor('where', x), asTensor('where', other));
}

const gradOfPower = (x: Tensor, p: number): Tensor => ops.pow(x, ops.full({ shape: [], value: p }));

/** The functions that are methods of Tensor, too: `methods.add(x, y)` is `x.add(y)`. */
export const methods = {
  /** x + other, broadcast. */
  add: binary('add'),
  /** x − other, broadcast. */
  sub: binary('sub'),
  /** x · other elementwise, broadcast. */
  mul: binary('mul'),
  /** x / other, broadcast. */
  div: binary('div'),
  /** x to the power of other, broadcast. */
  pow: binary('pow'),
  /** The larger of x and other; NaN if either is. */
  maximum: binary('maximum'),
  /** The smaller of x and other; NaN if either is. */
  minimum: binary('minimum'),
  /** u8 mask of x = other. */
  eq: binary('eq'),
  /** u8 mask of x ≠ other. */
  ne: binary('ne'),
  /** u8 mask of x < other. */
  lt: binary('lt'),
  /** u8 mask of x ≤ other. */
  le: binary('le'),
  /** u8 mask of x > other. */
  gt: binary('gt'),
  /** u8 mask of x ≥ other. */
  ge: binary('ge'),
  neg: unary('neg'),
  abs: unary('abs'),
  exp: unary('exp'),
  /** eˣ − 1, exact near 0. */
  expm1: unary('expm1'),
  log: unary('log'),
  /** log(1 + x), exact near 0. */
  log1p: unary('log1p'),
  sqrt: unary('sqrt'),
  /** 1 / √x. */
  rsqrt: unary('rsqrt'),
  /** 1 / x. */
  reciprocal: unary('reciprocal'),
  square: unary('square'),
  /** −1, 0 or 1. */
  sign: unary('sign'),
  floor: unary('floor'),
  ceil: unary('ceil'),
  /** To the nearest whole number, halves to the even one. */
  round: unary('round'),
  trunc: unary('trunc'),
  sin: unary('sin'),
  cos: unary('cos'),
  /** Gauss error function. */
  erf: unary('erf'),
  tanh: unary('tanh'),
  sigmoid: unary('sigmoid'),
  relu: unary('relu'),
  /** Limits x to min … max; either may be left out. */
  clamp: (x: Tensor, { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY }: { min?: number; max?: number }): Tensor =>
    ops.clamp(x, { min, max }),
  /** Sum over `dims`, all by default. */
  sum: reduction('sum'),
  /** Mean over `dims`, all by default. */
  mean: reduction('mean'),
  /** Product over `dims`, all by default. */
  prod: reduction('prod'),
  /** Largest value over `dims`; equal ones share the gradient (PyTorch's `amax`). For indices see argmax. */
  max: whole('max'),
  /** Smallest value over `dims` (PyTorch's `amin`). */
  min: whole('min'),
  /** log Σ exp over `dims`, without overflow. */
  logsumexp: whole('logsumexp'),
  /** p-norm over `dims`; default 2, also 1, Infinity and any other p > 0. */
  norm: (x: Tensor, dims?: Dims, { p = 2, keepdim = false }: KeepDim & { p?: number } = {}): Tensor => {
    if (p === 2) return reduction('norm')(x, dims, { keepdim });
    if (p === 1) return methods.sum(ops.abs(x), dims, { keepdim });
    if (p === Number.POSITIVE_INFINITY) return methods.max(ops.abs(x), dims, { keepdim });
    if (!(p > 0)) throw new ArgumentError(`norm: expected p > 0, got ${p}`);
    return gradOfPower(methods.sum(gradOfPower(ops.abs(x), p), dims, { keepdim }), 1 / p);
  },
  /** Variance over `dims`; divides by n − correction, default 1 (PyTorch's `var`). */
  variance: spread('variance'),
  /** Standard deviation over `dims`; see variance. */
  std: spread('std'),
  /** i32 index of the first largest value along `dim`, or in the flattened tensor. */
  argmax: argument('argmax'),
  /** i32 index of the first smallest value along `dim`, or in the flattened tensor. */
  argmin: argument('argmin'),
  /** Running sum along `dim`. */
  cumsum: (x: Tensor, dim: number): Tensor => ops.cumsum(x, { dim: normalizeDim('cumsum', dim, x.ndim) }),
  softmax: (x: Tensor, dim: number): Tensor => ops.softmax(x, { dim: normalizeDim('softmax', dim, x.ndim) }),
  /** log of softmax, without overflow. */
  logSoftmax: (x: Tensor, dim: number): Tensor => ops.logSoftmax(x, { dim: normalizeDim('logSoftmax', dim, x.ndim) }),
  /** Matrix product over the last two dims, batch dims broadcast; vectors as in PyTorch. */
  matmul: multiply,
  /** The same elements in another shape, one size may be -1; a view where x is contiguous, else a copy. */
  reshape: (x: Tensor, shape: Shape): Tensor => ops.reshape(x, { shape: [...inferSize('reshape', x, shape)] }),
  /** Joins dims startDim … endDim into one. */
  flatten: (x: Tensor, startDim = 0, endDim = -1): Tensor => {
    if (x.ndim === 0) return ops.reshape(x, { shape: [1] });
    const start = normalizeDim('flatten', startDim, x.ndim);
    const end = normalizeDim('flatten', endDim, x.ndim);
    if (start > end) throw new ShapeError(`flatten: expected startDim <= endDim, got ${start} and ${end}`);
    const joined = numelOf(x.shape.slice(start, end + 1));
    return ops.reshape(x, { shape: [...x.shape.slice(0, start), joined, ...x.shape.slice(end + 1)] });
  },
  /** A view with two dims swapped. */
  transpose: (x: Tensor, dim0: number, dim1: number): Tensor => {
    const dims = x.shape.map((_, d) => d);
    const a = normalizeDim('transpose', dim0, x.ndim);
    const b = normalizeDim('transpose', dim1, x.ndim);
    if (x.ndim > 0) [dims[a], dims[b]] = [b, a];
    return ops.permute(x, { dims });
  },
  /** The matrix transposed: the last two dims swapped, as a view (PyTorch's `.mT`). */
  t: (x: Tensor): Tensor => (x.ndim < 2 ? x : methods.transpose(x, -2, -1)),
  /** A view with the dims in another order. */
  permute: (x: Tensor, dims: readonly number[]): Tensor =>
    ops.permute(x, { dims: dims.map((dim) => normalizeDim('permute', dim, x.ndim)) }),
  /** A view that repeats dims of size 1; -1 keeps a size. */
  expand: (x: Tensor, shape: Shape): Tensor => {
    const lead = shape.length - x.ndim;
    return ops.expand(x, { shape: shape.map((size, d) => (size === -1 ? (x.shape[d - lead] ?? -1) : size)) });
  },
  /** A view with a dim of size 1 put in at `dim`. */
  unsqueeze: (x: Tensor, dim: number): Tensor => ops.unsqueeze(x, { dim: normalizeDim('unsqueeze', dim, x.ndim + 1) }),
  /** A view without the dims of size 1, or without `dim` if it has size 1. */
  squeeze: (x: Tensor, dim?: number): Tensor => {
    const only = dim === undefined ? -1 : normalizeDim('squeeze', dim, x.ndim);
    const gone = x.shape.map((_, d) => d).filter((d) => x.shape[d] === 1 && (only < 0 || d === only));
    return gone.reduceRight((y, d) => ops.squeeze(y, { dim: d }), x);
  },
  /** A view of elements start … end − 1 along `dim`, every `step`-th; negative positions count from the end. */
  slice: (x: Tensor, dim: number, start = 0, end = Number.MAX_SAFE_INTEGER, step = 1): Tensor => sliceOnce(x, dim, start, end, step),
  /** A view of `length` elements from `start` along `dim`. */
  narrow: (x: Tensor, dim: number, start: number, length: number): Tensor =>
    ops.slice(x, { dim: normalizeDim('narrow', dim, x.ndim), start, length, step: 1 }),
  /** The view at `index` along `dim`, which goes. */
  select: (x: Tensor, dim: number, index: number): Tensor => {
    const d = normalizeDim('select', dim, x.ndim);
    const size = x.shape[d] ?? 0;
    if (!(Number.isInteger(index) && index >= -size && index < size))
      throw new ShapeError(`select: expected index from ${-size} to ${size - 1} in dim ${d} of ${formatShape(x.shape)}, got ${index}`);
    const part = ops.slice(x, { dim: d, start: index < 0 ? index + size : index, length: 1, step: 1 });
    return ops.squeeze(part, { dim: d });
  },
  /** Views of `size` elements each along `dim` (the last may be smaller), or of the listed sizes. */
  split: splitInto,
  /** x itself if contiguous, else a copy in row-major order. */
  contiguous: (x: Tensor): Tensor => (x.isContiguous() ? x : ops.contiguous(x)),
  /** A copy; gradients flow through it. */
  clone: (x: Tensor): Tensor => ops.contiguous(x),
  /** x as another dtype; x itself if it has it. f32 to integers truncates and saturates. */
  to: (x: Tensor, dtype: Dtype): Tensor => (x.dtype === dtype ? x : ops.cast(x, { dtype })),
  /** out[.., i, ..] = x[.., index[i], ..]; index is i32 [m]. */
  indexSelect: (x: Tensor, dim: number, index: Tensor): Tensor =>
    ops.indexSelect(x, index, { dim: normalizeDim('indexSelect', dim, x.ndim) }),
  /** out[.., i, ..] = x[.., index[.., i, ..], ..]; index is i32 and may be smaller than x. */
  gather: (x: Tensor, dim: number, index: Tensor): Tensor => {
    const d = normalizeDim('gather', dim, x.ndim);
    expectDtype('gather', index, 'i32');
    return ops.gather(narrowTo('gather', x, index, d), index, { dim: d });
  },
  /** A copy of x with src added at the index along `dim`. */
  scatterAdd: (x: Tensor, dim: number, index: Tensor, src: Tensor): Tensor =>
    ops.scatterAdd(x, index, src, { dim: normalizeDim('scatterAdd', dim, x.ndim) }),
  /** Adds the gradient of x (a single number, or with `gradient` given) to every leaf's `.grad`. */
  backward: (x: Tensor, gradient?: Tensor, options?: BackwardOptions): void => backward(x, gradient, options),
};

/** x cut to the size of `index` in every dim but `dim`. */
function narrowTo(op: string, x: Tensor, index: Tensor, dim: number): Tensor {
  if (index.ndim !== x.ndim)
    throw new ShapeError(`${op}: expected an index of ${x.ndim} dims, got ${formatShape(index.shape)}`);
  return x.shape.reduce((y, size, d) => {
    const length = index.shape[d] as number;
    return d === dim || length >= size ? y : ops.slice(y, { dim: d, start: 0, length, step: 1 });
  }, x);
}

type Methods = typeof methods;
type Method<F> = F extends (x: Tensor, ...rest: infer R) => infer Y ? (...rest: R) => Y : never;
type TensorMethods = { [K in keyof Methods]: Method<Methods[K]> };

declare module './tensor.ts' {
  interface Tensor extends TensorMethods {}
}

for (const [name, fn] of Object.entries(methods) as [string, (...args: unknown[]) => unknown][])
  Object.defineProperty(Tensor.prototype, name, {
    value(this: Tensor, ...rest: unknown[]) {
      return fn(this, ...rest);
    },
    configurable: true,
    writable: true,
  });

export const {
  add, sub, mul, div, pow, maximum, minimum, eq, ne, lt, le, gt, ge, neg, abs, exp, expm1, log, log1p, sqrt, rsqrt, reciprocal,
  square, sign, floor, ceil, round, trunc, sin, cos, erf, tanh, sigmoid, relu, clamp, sum, mean, prod, max, min, logsumexp, norm,
  variance, std, argmax, argmin, cumsum, softmax, logSoftmax, matmul, reshape, flatten, transpose, permute, expand, unsqueeze,
  squeeze, slice, narrow, select, split, contiguous, clone, indexSelect, gather, scatterAdd,
} = methods;
