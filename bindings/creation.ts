// Ways to make tensors, and the generator behind the random ones.
import { ops } from './autograd.ts';
import { checkDtype, checkValues, dtypeOfArray } from './dtypes.ts';
import { onStart, runtime } from './engine/engine.ts';
import { tracing, upload } from './execute.ts';
import { ArgumentError, formatShape, ShapeError } from './memory/errors.ts';
import {
  checkShape,
  type Dtype,
  host,
  MAX_DIMS,
  type NestedArray,
  numelOf,
  type Shape,
  Tensor,
  type TypedArray,
} from './tensor.ts';

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

/** Numbers on their way into a tensor go through a buffer of this many, so that no copy of a large one is made. */
const PART = 1 << 14;
/** As long as this, an array is made sooner than a typed one. */
const FEW = 64;

/** Fills a tensor number by number, in row-major order. */
class Writer {
  readonly #op: string;
  readonly #result: Tensor;
  readonly #part: number[] | Float64Array;
  #filled = 0;
  /** Numbers that are in the tensor already. */
  #written = 0;

  constructor(op: string, shape: Shape, dtype: Dtype) {
    this.#op = op;
    this.#result = Tensor.allocate([...shape], dtype, op);
    const { size } = this.#result;
    this.#part = size <= FEW ? new Array<number>(size) : new Float64Array(Math.min(size, PART));
  }

  /** @throws ArgumentError where the dtype cannot hold `value` */
  push(value: number): void {
    this.#part[this.#filled++] = value;
    if (this.#filled === this.#part.length) this.#flush();
  }

  #flush(): void {
    if (this.#filled === 0) return;
    const part = this.#part;
    const values = this.#filled === part.length ? part : part.slice(0, this.#filled);
    const x = this.#result;
    checkValues(this.#op, values, x.dtype, this.#written, x.size);
    upload(this.#filled === x.size ? x : x.view([this.#filled], [1], this.#written), values);
    this.#written += this.#filled;
    this.#filled = 0;
  }

  /** Calls `fill`, which pushes all numbers. @returns the tensor, which is gone if `fill` throws */
  by(fill: () => void, requiresGrad: boolean): Tensor {
    try {
      fill();
      this.#flush();
    } catch (error) {
      this.#result.dispose();
      throw error;
    }
    return requiresGrad ? withGrad(this.#result) : this.#result;
  }
}

/** A tensor whose element i, in row-major order, is `at(i)`. */
function generate(op: string, shape: Shape, at: (i: number) => number, options: TensorOptions): Tensor {
  const { dtype = 'f32', requiresGrad = false } = options;
  checkDtype(op, dtype);
  const writer = new Writer(op, shape, dtype);
  const n = numelOf(shape);
  return writer.by(() => {
    for (let i = 0; i < n; i++) writer.push(at(i));
  }, requiresGrad);
}

/** What a value that is no number is, for messages. */
const kindOf = (value: unknown): string => (Array.isArray(value) ? 'an array' : value === null ? 'null' : typeof value);

/** The shape that the first rows of nested arrays have. @throws ShapeError where they are deeper than any tensor */
function shapeOf(data: NestedArray): number[] {
  const shape: number[] = [];
  let first: NestedArray | undefined = data;
  // An array that holds itself has no end.
  for (; Array.isArray(first) && shape.length <= MAX_DIMS; first = first[0]) shape.push(first.length);
  if (shape.length > MAX_DIMS)
    throw new ShapeError(`tensor: expected arrays at most ${MAX_DIMS} levels deep, got more of them`);
  checkShape('tensor', shape);
  if (numelOf(shape) > 0) expectNumber(first, shape.length);
  return shape;
}

function expectNumber(value: unknown, depth: number): asserts value is number | boolean {
  if (typeof value !== 'number' && typeof value !== 'boolean')
    throw new ShapeError(`tensor: expected numbers ${depth} levels deep, got ${kindOf(value)}`);
}

/** Calls `visit` with the numbers of nested arrays, in row-major order. @throws ShapeError where rows differ */
function forEachNumber(data: NestedArray, shape: Shape, visit: (value: number) => void): void {
  const walk = (value: unknown, depth: number): void => {
    if (depth === shape.length) {
      expectNumber(value, depth);
      visit(Number(value));
      return;
    }
    const length = shape[depth] as number;
    if (!Array.isArray(value) || value.length !== length)
      throw new ShapeError(
        `tensor: expected rows of one length in shape ${formatShape(shape)}, got ${Array.isArray(value) ? value.length : kindOf(value)}`,
      );
    for (let i = 0; i < length; i++) walk(value[i], depth + 1);
  };
  walk(data, 0);
}

const isTypedArray = (x: unknown): x is TypedArray & ArrayLike<number> =>
  ArrayBuffer.isView(x) && !(x instanceof DataView);

/**
 * A tensor of numbers, nested arrays or a typed array, which is copied (PyTorch's `torch.tensor`). Numbers become f32
 * unless `dtype` says otherwise; typed arrays keep their kind.
 * @throws ShapeError for ragged rows, arrays more than 8 levels deep or a shape that does not fit, ArgumentError for
 * numbers an integer dtype cannot hold
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
  const own = typed ? [data.length] : shapeOf(data as NestedArray);
  const { dtype = typed ? dtypeOfArray('tensor', data) : 'f32', shape = own, requiresGrad = false } = options;
  checkDtype('tensor', dtype);
  checkShape('tensor', shape);
  if (numelOf(shape) !== numelOf(own))
    throw new ShapeError(
      `tensor: expected ${numelOf(shape)} values for shape ${formatShape(shape)}, got ${numelOf(own)}`,
    );
  if (!typed) {
    const writer = new Writer('tensor', shape, dtype);
    return writer.by(() => forEachNumber(data as NestedArray, own, (value) => writer.push(value)), requiresGrad);
  }
  const fits = dtypeOfArray('tensor', data) === dtype && (dtype !== 'i32' || data instanceof Int32Array);
  if (!fits) checkValues('tensor', data, dtype);
  const result = Tensor.allocate([...shape], dtype, 'tensor');
  upload(result, data);
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

/** Makes an f32 tensor by `make`, and applies dtype and requiresGrad, which are checked before it. */
function drawn(op: string, make: () => Tensor, { dtype = 'f32', requiresGrad = false }: TensorOptions): Tensor {
  checkDtype(op, dtype);
  const x = make();
  if (dtype === 'f32') return requiresGrad ? withGrad(x) : x;
  try {
    const result = ops.cast({ x }, { dtype });
    return requiresGrad ? withGrad(result) : result;
  } finally {
    x.dispose();
  }
}

/** A tensor of `shape` filled with `value`. @throws ShapeError, DtypeError */
export function full(shape: Shape, value: number, options: TensorOptions = {}): Tensor {
  const { dtype = 'f32', requiresGrad = false } = options;
  checkDtype('full', dtype);
  checkShape('full', shape);
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
  const { dtype = 'f32', requiresGrad = false } = options;
  const result = zeros([n, n], { dtype });
  try {
    const x = ones([n], { dtype });
    ops.copy({ y: result.view([n], [n + 1], 0), x });
    x.dispose();
  } catch (error) {
    result.dispose();
    throw error;
  }
  return requiresGrad ? withGrad(result) : result;
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
  return generate('arange', [n], (i) => from + i * step, options);
}

/** `steps` numbers from `start` to `end`, both included, evenly apart. */
export function linspace(start: number, end: number, steps: number, options: TensorOptions = {}): Tensor {
  checkShape('linspace', [steps]);
  const gaps = Math.max(1, steps - 1);
  // From both ends, so that the last value is exactly `end`.
  const at = (i: number): number =>
    i < steps / 2 ? start + (i * (end - start)) / gaps : end - ((steps - 1 - i) * (end - start)) / gaps;
  return generate('linspace', [steps], at, options);
}

// The default generator: Philox key and counter, four u32 in the arena, read and moved on by kernels. The key is the
// seed.
let generator: Tensor | null = null;
onStart(() => {
  generator = tensor(seeded(Math.floor(Math.random() * 2 ** 53))).keep();
});

/** The state of a generator that begins with `seed`. */
const seeded = (seed: number): Int32Array => Int32Array.of(seed | 0, (seed / 2 ** 32) | 0, 0, 0);

/** The state that random ops read. @throws BackendError before init() @internal */
export function defaultGenerator(): Tensor {
  runtime();
  return generator as Tensor;
}

/**
 * Makes everything random from here on repeat to the bit (PyTorch's `manual_seed`): initial weights, dropout, `randn`
 * and its like, and the order of loaders without a seed of their own. Without it each run is another;
 * {@link initialSeed} tells its seed. A worker has a runtime of its own, and so a generator: seed it there.
 * @param seed a whole number from 0 to 2⁵³ − 1
 * @throws ArgumentError
 */
export function manualSeed(seed: number): void {
  if (!Number.isSafeInteger(seed) || seed < 0)
    throw new ArgumentError(`manualSeed: expected a whole number from 0, got ${seed}`);
  setRngState(seeded(seed));
}

/**
 * The seed that the generator began with: the one of {@link manualSeed}, or else the one that {@link init} drew
 * (PyTorch's `initial_seed`). `manualSeed(initialSeed())` at the start of another run repeats this one.
 */
export function initialSeed(): number {
  const [low = 0, high = 0] = getRngState();
  return (high >>> 0) * 2 ** 32 + (low >>> 0);
}

/** The state of the generator: four words, to be given to {@link setRngState} (PyTorch's `get_rng_state`). */
export function getRngState(): Int32Array {
  return host.download(defaultGenerator(), 'getRngState') as Int32Array;
}

/**
 * Goes on where {@link getRngState} was called.
 * @param state its four words
 * @throws ArgumentError for another number of words, or numbers that are no words of 32 bits
 */
export function setRngState(state: ArrayLike<number>): void {
  if (state?.length !== 4)
    throw new ArgumentError(`setRngState: expected the 4 words of getRngState(), got ${state?.length ?? typeof state}`);
  for (let i = 0; i < 4; i++) {
    const word = state[i] as number;
    if (!(Number.isInteger(word) && word >= -(2 ** 31) && word < 2 ** 32))
      throw new ArgumentError(`setRngState: expected words of 32 bits, got ${word}`);
  }
  tracing()?.refuse('setRngState', 'seed outside of the compiled function');
  upload(defaultGenerator(), state);
}

/** Uniform numbers from `low` up to, without, `high` (PyTorch's `rand`, with bounds). */
export function rand(shape: Shape, options: RandOptions = {}): Tensor {
  const { low = 0, high = 1, ...rest } = options;
  checkShape('rand', shape);
  const draw = (): Tensor => ops.uniform({ state: defaultGenerator() }, { shape: [...shape], low, high });
  return drawn('rand', draw, rest);
}

/** Normal numbers (PyTorch's `randn`, with mean and standard deviation). */
export function randn(shape: Shape, options: RandnOptions = {}): Tensor {
  const { mean = 0, std = 1, ...rest } = options;
  checkShape('randn', shape);
  const draw = (): Tensor => ops.normal({ state: defaultGenerator() }, { shape: [...shape], mean, std });
  return drawn('randn', draw, rest);
}

/** 1 with probability p, else 0. @param p from 0 to 1 */
export function bernoulli(shape: Shape, p: number, options: TensorOptions = {}): Tensor {
  checkShape('bernoulli', shape);
  const draw = (): Tensor => ops.bernoulli({ state: defaultGenerator() }, { shape: [...shape], p });
  return drawn('bernoulli', draw, options);
}

/** n random words of 32 bits, which `op` reads. @internal */
export function randomWords(op: string, n: number): Uint32Array {
  const words = ops.randomBits({ state: defaultGenerator() }, { shape: [n] });
  try {
    return new Uint32Array(host.download(words, op).buffer as ArrayBuffer);
  } finally {
    words.dispose();
  }
}

/**
 * Whole numbers from `low` up to, not including, `high`, each as likely; i32 unless `dtype` says otherwise.
 * @throws ArgumentError unless low < high are whole numbers of 32 bits that the dtype holds
 */
export function randint(low: number, high: number, shape: Shape, options: TensorOptions = {}): Tensor {
  if (!(Number.isInteger(low) && Number.isInteger(high) && low < high))
    throw new ArgumentError(`randint: expected whole numbers low < high, got ${low} and ${high}`);
  if (low < -(2 ** 31) || high > 2 ** 31)
    throw new ArgumentError(`randint: expected low >= -2147483648 and high <= 2147483648, got ${low} and ${high}`);
  const { dtype = 'i32', ...rest } = options;
  checkDtype('randint', dtype);
  checkShape('randint', shape);
  checkValues('randint', [low, high - 1], dtype); // whatever is drawn
  const words = randomWords('randint', numelOf(shape));
  return generate('randint', shape, (i) => low + Math.floor(((words[i] as number) / 2 ** 32) * (high - low)), {
    dtype,
    ...rest,
  });
}

/** The numbers 0 … n − 1 in random order, i32. */
export function randperm(n: number): Tensor {
  checkShape('randperm', [n]);
  const words = randomWords('randperm', n);
  const order = new Int32Array(words.buffer as ArrayBuffer);
  // Place i gets what place j < i has, and j gets i: the order grows from the front, where its words are read already.
  for (let i = 0; i < n; i++) {
    const j = Math.floor(((words[i] as number) / 2 ** 32) * (i + 1));
    order[i] = order[j] as number;
    order[j] = i;
  }
  return tensor(order);
}
