// Ways to make tensors, and the generator behind the random ones.
import { ops } from './autograd.ts';
import { checkDtype, checkValues, dtypeOfArray } from './dtypes.ts';
import { onStart, runtime } from './engine/engine.ts';
import { tracing, upload } from './execute.ts';
import { ArgumentError, formatShape, ShapeError } from './memory/errors.ts';
import { checkShape, type Dtype, type NestedArray, numelOf, type Shape, Tensor, type TypedArray } from './tensor.ts';

/** Options of every function that makes a tensor. */
export interface TensorOptions {
  /** The element type. @defaultValue `'f32'`; for typed arrays the nearest of the three; for `randint` `'i32'` */
  dtype?: Dtype;
  /** Whether `backward()` leaves a gradient in `.grad`; f32 only. @defaultValue false */
  requiresGrad?: boolean;
}

/** Options of {@link tensor}. */
export interface TensorDataOptions extends TensorOptions {
  /** The shape of the numbers. @defaultValue that of the nesting; for typed arrays [length] */
  shape?: Shape;
}

/** Options of {@link rand}. */
export interface RandOptions extends TensorOptions {
  /** The least number. @defaultValue 0 */
  low?: number;
  /** The bound that numbers stay below. @defaultValue 1 */
  high?: number;
}

/** Options of {@link randn}. */
export interface RandnOptions extends TensorOptions {
  /** The mean. @defaultValue 0 */
  mean?: number;
  /** The standard deviation. @defaultValue 1 */
  std?: number;
}

/** The numbers of nested arrays in row-major order, and their shape. @throws ShapeError where rows differ in length */
function flatten(value: NestedArray): { shape: number[]; values: number[] } {
  const shape: number[] = [];
  for (let v: NestedArray | undefined = value; Array.isArray(v); v = v[0]) shape.push(v.length);
  const values: number[] = [];
  const walk = (v: NestedArray, depth: number): void => {
    if (depth === shape.length) {
      if (typeof v !== 'number' && typeof v !== 'boolean')
        throw new ShapeError(
          `tensor: expected numbers ${depth} levels deep, got ${Array.isArray(v) ? 'an array' : typeof v}`,
        );
      values.push(Number(v));
      return;
    }
    if (!Array.isArray(v) || v.length !== shape[depth])
      throw new ShapeError(
        `tensor: expected rows of one length in shape ${formatShape(shape)}, got ${Array.isArray(v) ? v.length : typeof v}`,
      );
    for (const item of v) walk(item, depth + 1);
  };
  walk(value, 0);
  return { shape, values };
}

const isTypedArray = (x: unknown): x is TypedArray & ArrayLike<number> =>
  ArrayBuffer.isView(x) && !(x instanceof DataView);

/**
 * A tensor of numbers, nested arrays or a typed array, which is copied (PyTorch's `torch.tensor`). Numbers become f32
 * unless `dtype` says otherwise; typed arrays keep their kind.
 * @throws ShapeError for ragged rows or a shape that does not fit, ArgumentError for numbers an integer dtype cannot
 * hold
 * @example
 * ```ts
 * const x = tensor([[1, 2], [3, 4]]); // f32 [2, 2]
 * const labels = tensor([3, 1, 2], { dtype: 'i32' });
 * const image = tensor(new Uint8Array(784), { shape: [28, 28] }); // u8
 * const w = tensor([0.5, -0.5], { requiresGrad: true });
 * ```
 */
export function tensor(data: NestedArray | ArrayBufferView, options: TensorDataOptions = {}): Tensor {
  const typed = isTypedArray(data);
  const flat = typed ? { shape: [data.length], values: data as ArrayLike<number> } : flatten(data as NestedArray);
  const { dtype = typed ? dtypeOfArray('tensor', data) : 'f32', shape = flat.shape, requiresGrad = false } = options;
  checkDtype('tensor', dtype);
  checkShape('tensor', shape);
  if (numelOf(shape) !== flat.values.length)
    throw new ShapeError(
      `tensor: expected ${numelOf(shape)} values for shape ${formatShape(shape)}, got ${flat.values.length}`,
    );
  const fits = typed && dtypeOfArray('tensor', data) === dtype && (dtype !== 'i32' || data instanceof Int32Array);
  if (!fits) checkValues('tensor', flat.values, dtype);
  const result = Tensor.allocate([...shape], dtype, 'tensor');
  upload(result, flat.values);
  return requiresGrad ? withGrad(result) : result;
}

function withGrad(x: Tensor): Tensor {
  try {
    return x.requiresGrad_();
  } catch (error) {
    x.dispose();
    throw error;
  }
}

/** Applies dtype and requiresGrad to a fresh tensor. */
function finish(op: string, x: Tensor, { dtype = 'f32', requiresGrad = false }: TensorOptions): Tensor {
  checkDtype(op, dtype);
  let result = x;
  if (dtype !== x.dtype) {
    try {
      result = ops.cast({ x }, { dtype });
    } finally {
      x.dispose();
    }
  }
  return requiresGrad ? withGrad(result) : result;
}

/** A tensor of `shape` filled with `value`. @throws ShapeError, DtypeError */
export function full(shape: Shape, value: number, options: TensorOptions = {}): Tensor {
  const { dtype = 'f32', requiresGrad = false } = options;
  checkDtype('full', dtype);
  const x = ops.full({}, { shape: [...shape], value, dtype });
  return requiresGrad ? withGrad(x) : x;
}
/** A tensor of `shape` filled with 0. */
export function zeros(shape: Shape, options: TensorOptions = {}): Tensor {
  return full(shape, 0, options);
}
/** A tensor of `shape` filled with 1. */
export function ones(shape: Shape, options: TensorOptions = {}): Tensor {
  return full(shape, 1, options);
}
/** Zeros with the shape and dtype of `x`. */
export function zerosLike(x: Tensor, options: TensorOptions = {}): Tensor {
  return full(x.shape, 0, { dtype: x.dtype, ...options });
}
/** Ones with the shape and dtype of `x`. */
export function onesLike(x: Tensor, options: TensorOptions = {}): Tensor {
  return full(x.shape, 1, { dtype: x.dtype, ...options });
}
/** The identity matrix [n, n]. */
export function eye(n: number, options: TensorOptions = {}): Tensor {
  checkShape('eye', [n, n]);
  const data = new Float32Array(n * n);
  for (let i = 0; i < n; i++) data[i * n + i] = 1;
  return finish('eye', tensor(data, { shape: [n, n] }), options);
}

/**
 * Numbers from `start` up to, not including, `end`, `step` apart. `arange(end)` starts at 0.
 * @throws ArgumentError where `step` does not lead from `start` to `end`
 */
export function arange(start: number, end?: number, step = 1, options: TensorOptions = {}): Tensor {
  const [from, to] = end === undefined ? [0, start] : [start, end];
  if (!(step !== 0 && Number.isFinite((to - from) / step)) || (to - from) / step < 0)
    throw new ArgumentError(`arange: expected step to lead from ${from} to ${to}, got ${step}`);
  const n = Math.ceil((to - from) / step);
  checkShape('arange', [n]);
  const { dtype = 'f32' } = options;
  checkDtype('arange', dtype);
  return tensor(
    Array.from({ length: n }, (_, i) => from + i * step),
    options,
  );
}

/** `steps` numbers from `start` to `end`, both included, evenly apart. */
export function linspace(start: number, end: number, steps: number, options: TensorOptions = {}): Tensor {
  checkShape('linspace', [steps]);
  return tensor(
    // From both ends, so that the last value is exactly `end`.
    Array.from({ length: steps }, (_, i) =>
      i < steps / 2
        ? start + (i * (end - start)) / Math.max(1, steps - 1)
        : end - ((steps - 1 - i) * (end - start)) / Math.max(1, steps - 1),
    ),
    options,
  );
}

// The default generator: Philox key and counter, four u32 in the arena, read and moved on by kernels.
let generator: Tensor | null = null;
onStart(() => {
  generator = tensor(new Int32Array(4)).keep();
});

/** The state that random ops read; seeded with 0 until manualSeed(). @throws BackendError before init() @internal */
export function defaultGenerator(): Tensor {
  runtime();
  return generator as Tensor;
}

/**
 * Makes everything random from here on repeat to the bit (PyTorch's `manual_seed`).
 * @param seed a whole number from 0 to 2⁵³ − 1
 * @throws ArgumentError
 */
export function manualSeed(seed: number): void {
  if (!Number.isSafeInteger(seed) || seed < 0)
    throw new ArgumentError(`manualSeed: expected a whole number from 0, got ${seed}`);
  setRngState(Int32Array.of(seed | 0, (seed / 2 ** 32) | 0, 0, 0));
}

/** The state of the generator: four words, to be given to {@link setRngState} (PyTorch's `get_rng_state`). */
export function getRngState(): Int32Array {
  return defaultGenerator().data as Int32Array;
}

/**
 * Goes on where {@link getRngState} was called.
 * @param state its four words
 * @throws ArgumentError for another number of words
 */
export function setRngState(state: ArrayLike<number>): void {
  if (state.length !== 4)
    throw new ArgumentError(`setRngState: expected the 4 words of getRngState(), got ${state.length}`);
  tracing()?.refuse('setRngState', 'seed outside of the compiled function');
  upload(defaultGenerator(), state);
}

/** Uniform numbers from `low` up to, without, `high` (PyTorch's `rand`, with bounds). */
export function rand(shape: Shape, options: RandOptions = {}): Tensor {
  const { low = 0, high = 1, ...rest } = options;
  return finish('rand', ops.uniform({ state: defaultGenerator() }, { shape: [...shape], low, high }), rest);
}

/** Normal numbers (PyTorch's `randn`, with mean and standard deviation). */
export function randn(shape: Shape, options: RandnOptions = {}): Tensor {
  const { mean = 0, std = 1, ...rest } = options;
  return finish('randn', ops.normal({ state: defaultGenerator() }, { shape: [...shape], mean, std }), rest);
}

/** 1 with probability p, else 0. @param p from 0 to 1 */
export function bernoulli(shape: Shape, p: number, options: TensorOptions = {}): Tensor {
  return finish('bernoulli', ops.bernoulli({ state: defaultGenerator() }, { shape: [...shape], p }), options);
}

/**
 * Whole numbers from `low` up to, not including, `high`, each as likely; i32 unless `dtype` says otherwise.
 * @throws ArgumentError unless low < high are whole numbers of 32 bits that the dtype can hold
 */
export function randint(low: number, high: number, shape: Shape, options: TensorOptions = {}): Tensor {
  const { dtype = 'i32', ...rest } = options;
  checkDtype('randint', dtype);
  if (dtype === 'u8') checkValues('randint', [low, high - 1], dtype);
  const x = ops.randint({ state: defaultGenerator() }, { shape: [...shape], low, high });
  return finish('randint', x, { dtype, ...rest });
}

/** The numbers 0 … n − 1 in random order, i32. */
export function randperm(n: number): Tensor {
  return ops.randperm({ state: defaultGenerator() }, { n });
}
