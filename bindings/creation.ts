// Ways to make tensors, and the generator behind the random ones.
import { ops } from './autograd.ts';
import { ArgumentError, DtypeError, formatShape, ShapeError } from './runtime/errors.ts';
import { aside, onStart, recording, runtime } from './runtime/wasm.ts';
import {
  arrayOf,
  checkShape,
  type Dtype,
  type NestedArray,
  numelOf,
  type Shape,
  Tensor,
  type TypedArray,
} from './tensor.ts';

/** Options of every function that makes a tensor. */
export interface TensorOptions {
  /** Default f32; for typed arrays the nearest of f32, i32, u8. */
  dtype?: Dtype;
  /** Whether backward() shall leave a gradient in `.grad`; f32 only. Default false. */
  requiresGrad?: boolean;
}

function checkDtype(op: string, dtype: Dtype): void {
  if (!Object.hasOwn(arrayOf, dtype))
    throw new DtypeError(`${op}: expected dtype 'f32', 'i32' or 'u8', got '${dtype}'`);
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

function dtypeOfArray(array: ArrayBufferView): Dtype {
  if (array instanceof Uint8Array || array instanceof Uint8ClampedArray) return 'u8';
  if (array instanceof Float32Array || array instanceof Float64Array) return 'f32';
  if (array instanceof BigInt64Array || array instanceof BigUint64Array)
    throw new DtypeError(
      'tensor: expected a typed array of numbers, got one of bigints; convert it with Int32Array.from(x, Number)',
    );
  return 'i32';
}

/** A number as `dtype` holds it. @throws ArgumentError where an integer dtype cannot hold it */
function checkValues(values: ArrayLike<number>, dtype: Dtype): void {
  if (dtype === 'f32') return;
  const [low, high] = dtype === 'u8' ? [0, 255] : [-(2 ** 31), 2 ** 31 - 1];
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (!(Number.isInteger(value) && value >= low && value <= high))
      throw new ArgumentError(
        `tensor: expected whole numbers from ${low} to ${high} for dtype ${dtype}, got ${value} at position ${i}`,
      );
  }
}

/**
 * A tensor of numbers, nested arrays or a typed array (copied). Shape: that of the nesting, or `shape`.
 * Numbers become f32 unless `dtype` says otherwise; typed arrays keep their kind (PyTorch's `torch.tensor`).
 * @throws ShapeError for ragged rows or a shape that does not fit, ArgumentError for numbers an integer dtype cannot hold
 */
export function tensor(data: NestedArray | ArrayBufferView, options: TensorOptions & { shape?: Shape } = {}): Tensor {
  const typed = isTypedArray(data);
  const flat = typed ? { shape: [data.length], values: data as ArrayLike<number> } : flatten(data as NestedArray);
  const { dtype = typed ? dtypeOfArray(data) : 'f32', shape = flat.shape, requiresGrad = false } = options;
  checkDtype('tensor', dtype);
  checkShape('tensor', shape);
  if (numelOf(shape) !== flat.values.length)
    throw new ShapeError(
      `tensor: expected ${numelOf(shape)} values for shape ${formatShape(shape)}, got ${flat.values.length}`,
    );
  const fits = typed && ((dtype === 'u8' && dtypeOfArray(data) === 'u8') || data instanceof Int32Array);
  if (!fits) checkValues(flat.values, dtype);
  const result = aside(() => fill(Tensor.allocate([...shape], dtype, 'tensor'), flat.values));
  // A program that writes to it has to find the numbers again in its next run.
  const recorder = recording();
  recorder?.constants.set(result.block, Array.from(flat.values));
  const fresh = recorder ? ops.contiguous(result.keep()) : result;
  return requiresGrad ? withGrad(fresh) : fresh;
}

function fill(x: Tensor, values: ArrayLike<number>): Tensor {
  const { arena } = runtime();
  if (x.dtype === 'f32') arena.f32.set(values, x.address / 4);
  else if (x.dtype === 'i32') arena.i32.set(values, x.address / 4);
  else arena.u8.set(values, x.address);
  return x;
}

function withGrad(x: Tensor): Tensor {
  try {
    return x.requiresGrad_();
  } catch (error) {
    x.dispose();
    throw error;
  }
}

/** Applies dtype and requiresGrad to a fresh f32 tensor. */
function finish(op: string, x: Tensor, { dtype = 'f32', requiresGrad = false }: TensorOptions): Tensor {
  checkDtype(op, dtype);
  let result = x;
  if (dtype !== 'f32') {
    result = ops.cast(x, { dtype });
    x.dispose();
  }
  return requiresGrad ? withGrad(result) : result;
}

/** A tensor of `shape` filled with `value`. */
export function full(shape: Shape, value: number, options: TensorOptions = {}): Tensor {
  const { dtype = 'f32' } = options;
  checkDtype('full', dtype);
  if (dtype === 'f32') return finish('full', ops.full({ shape: [...shape], value }), options);
  checkShape('full', shape);
  checkValues([value], dtype);
  // Not by way of f32, which holds only 24 bits of an integer.
  return tensor(new arrayOf[dtype](numelOf(shape)).fill(value), { ...options, shape });
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
/** The identity matrix of n rows. */
export function eye(n: number, options: TensorOptions = {}): Tensor {
  checkShape('eye', [n, n]);
  const data = new Float32Array(n * n);
  for (let i = 0; i < n; i++) data[i * n + i] = 1;
  return finish('eye', tensor(data, { shape: [n, n] }), options);
}

/** Numbers from `start` up to, not including, `end`, `step` apart. `arange(end)` starts at 0. */
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

/** The state that random ops read; seeded with 0 until manualSeed(). @throws BackendError before init() */
export function defaultGenerator(): Tensor {
  runtime();
  return generator as Tensor;
}

/** Makes everything random from here on repeat to the bit (PyTorch's `manual_seed`). @param seed whole number from 0 to 2⁵³ − 1 */
export function manualSeed(seed: number): void {
  if (!Number.isSafeInteger(seed) || seed < 0)
    throw new ArgumentError(`manualSeed: expected a whole number from 0, got ${seed}`);
  setRngState(Int32Array.of(seed | 0, (seed / 2 ** 32) | 0, 0, 0));
}

/** The state of the generator: four words, to be given to setRngState() (PyTorch's `get_rng_state`). */
export function getRngState(): Int32Array {
  return defaultGenerator().data as Int32Array;
}

/** Continues where getRngState() was called. */
export function setRngState(state: ArrayLike<number>): void {
  if (state.length !== 4)
    throw new ArgumentError(`setRngState: expected the 4 words of getRngState(), got ${state.length}`);
  recording()?.refuse('setRngState', 'seed outside of the compiled function');
  runtime().arena.i32.set(state, defaultGenerator().address / 4);
}

/** Uniform numbers in [low, high) (PyTorch's `rand`, with bounds). */
export function rand(
  shape: Shape,
  { low = 0, high = 1, ...options }: TensorOptions & { low?: number; high?: number } = {},
): Tensor {
  return finish('rand', ops.uniform({ shape: [...shape], low, high, state: defaultGenerator() }), options);
}

/** Normal numbers (PyTorch's `randn`, with mean and standard deviation). */
export function randn(
  shape: Shape,
  { mean = 0, std = 1, ...options }: TensorOptions & { mean?: number; std?: number } = {},
): Tensor {
  return finish('randn', ops.normal({ shape: [...shape], mean, std, state: defaultGenerator() }), options);
}

/** 1 with probability p, else 0. */
export function bernoulli(shape: Shape, p: number, options: TensorOptions = {}): Tensor {
  return finish('bernoulli', ops.bernoulli({ shape: [...shape], p, state: defaultGenerator() }), options);
}

/** n random words of 32 bits. */
function randomWords(n: number): Uint32Array {
  const { kernels } = runtime();
  const state = defaultGenerator();
  const words = Tensor.allocate([n], 'i32', 'random');
  try {
    kernels.random_u32(words, n, 0, state);
    kernels.random_advance(state, n);
    return new Uint32Array((words.data as Int32Array).buffer as ArrayBuffer);
  } finally {
    words.dispose();
  }
}

/** Whole numbers from `low` up to, not including, `high`; i32 unless dtype says otherwise. */
export function randint(low: number, high: number, shape: Shape, options: TensorOptions = {}): Tensor {
  if (!(Number.isInteger(low) && Number.isInteger(high) && low < high))
    throw new ArgumentError(`randint: expected whole numbers low < high, got ${low} and ${high}`);
  checkShape('randint', shape);
  const values = Array.from(randomWords(numelOf(shape)), (word) => low + Math.floor((word / 2 ** 32) * (high - low)));
  return tensor(Int32Array.from(values), { dtype: 'i32', ...options, shape });
}

/** The numbers 0 … n − 1 in random order, i32. */
export function randperm(n: number): Tensor {
  checkShape('randperm', [n]);
  const words = randomWords(n);
  const order = Int32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(((words[i] as number) / 2 ** 32) * (i + 1));
    const swap = order[i] as number;
    order[i] = order[j] as number;
    order[j] = swap;
  }
  return tensor(order);
}
