// Ways to make tensors; random.ts has the random ones.
import { ops } from './autograd.ts';
import { checkValues, dtypeOfArray, isTypedArray } from './dtypes.ts';
import { upload } from './execute.ts';
import { ArgumentError, formatShape, ShapeError, typeName } from './memory/errors.ts';
import { alternatives, type Callable, callable } from './signature.ts';
import { copyOf } from './sizes.ts';
import {
  checkShape,
  type Dtype,
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
    upload(this.#filled === x.size ? x : x.alias([this.#filled], [1], this.#written), values);
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
export function generate(
  op: string,
  shape: Shape,
  at: (i: number) => number,
  dtype: Dtype,
  requiresGrad: boolean,
): Tensor {
  const writer = new Writer(op, shape, dtype);
  const n = numelOf(shape);
  return writer.by(() => {
    for (let i = 0; i < n; i++) writer.push(at(i));
  }, requiresGrad);
}

/** What a value that is no number is, for messages. */
const kindOf = (value: unknown): string => (Array.isArray(value) ? 'an array' : typeName(value));

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

/** @throws ArgumentError where the memory of `data` was given away, which makes it look empty */
function expectMemory({ buffer, byteOffset }: TypedArray): void {
  try {
    new Uint8Array(buffer, byteOffset, 0);
  } catch (cause) {
    throw new ArgumentError(
      'tensor: expected numbers, got an array whose buffer was transferred or cut short; keep one of your own',
      { cause },
    );
  }
}

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
export const tensor = callable<(data: NestedArray | ArrayBufferView, options?: TensorDataOptions) => Tensor>(
  'tensor(data: any, *, shape?: int[], dtype?: dtype, requiresGrad: bool = false)',
  (
    data: NestedArray | ArrayBufferView,
    asShape: Shape | undefined,
    asDtype: Dtype | undefined,
    requiresGrad: boolean,
  ) => {
    const typed = isTypedArray(data);
    if (typed && data.length === 0) expectMemory(data);
    const own = typed ? [data.length] : shapeOf(data as NestedArray);
    const shape = asShape ?? own;
    const dtype = asDtype ?? (typed ? dtypeOfArray('tensor', data) : 'f32');
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
  },
);

/** `x` as a leaf that requires a gradient; it is gone where it cannot. */
export function withGrad(x: Tensor): Tensor {
  try {
    return x.requiresGrad_();
  } catch (error) {
    x.dispose();
    throw error;
  }
}

const filled = (op: string, shape: Shape, value: number, dtype: Dtype, requiresGrad: boolean): Tensor => {
  checkShape(op, shape);
  const x = ops.full({}, { shape: copyOf(shape), value, dtype });
  return requiresGrad ? withGrad(x) : x;
};

/** The optional arguments of what makes tensors, all by name, behind others of those. */
export const ALSO_MADE = "dtype: dtype = 'f32', requiresGrad: bool = false)";
/** The optional arguments of what makes tensors, all by name. */
export const MADE = "*, dtype: dtype = 'f32', requiresGrad: bool = false)";

/** A tensor of `shape` filled with `fillValue`. @throws ShapeError; ArgumentError where the dtype cannot hold it */
export const full = callable<(shape: Shape, fillValue: number, options?: TensorOptions) => Tensor>(
  `full(shape: int[], fillValue: number, ${MADE}`,
  (shape: Shape, value: number, dtype: Dtype, requiresGrad: boolean) =>
    filled('full', shape, value, dtype, requiresGrad),
);

/** What makes a tensor of a shape, which is given as a list or one by one. */
export type ShapeFunction<O> = {
  (shape: Shape, options?: O): Tensor;
  (...shape: number[]): Tensor;
  (...shape: [...sizes: number[], options: O]): Tensor;
};
/* @__NO_SIDE_EFFECTS__ */
const constant = (name: string, value: number): ShapeFunction<TensorOptions> =>
  callable<ShapeFunction<TensorOptions>>(
    `${name}(...shape: int, ${MADE}`,
    (shape: Shape, dtype: Dtype, requiresGrad: boolean) => filled(name, shape, value, dtype, requiresGrad),
  );

/** A tensor of `shape` filled with 0: `zeros(2, 3)` or `zeros([2, 3])`. */
export const zeros: ShapeFunction<TensorOptions> = constant('zeros', 0);

/** A tensor of `shape` filled with 1: `ones(2, 3)` or `ones([2, 3])`. */
export const ones: ShapeFunction<TensorOptions> = constant('ones', 1);

/** What makes a tensor like another one. */
export type LikeFunction = (x: Tensor, options?: TensorOptions) => Tensor;
/* @__NO_SIDE_EFFECTS__ */
const like = (name: string, value: number): LikeFunction =>
  callable<LikeFunction>(
    `${name}(x: Tensor, *, dtype?: dtype, requiresGrad: bool = false)`,
    (x: Tensor, dtype: Dtype | undefined, requiresGrad: boolean) =>
      filled(name, x.sizes, value, dtype ?? x.dtype, requiresGrad),
  );

/** Zeros with the shape of `x`, and its dtype unless `dtype` says otherwise. */
export const zerosLike: LikeFunction = like('zerosLike', 0);

/** Ones with the shape of `x`, and its dtype unless `dtype` says otherwise. */
export const onesLike: LikeFunction = like('onesLike', 1);

/** Options of {@link eye}. */
export interface EyeOptions extends TensorOptions {
  /** The columns; null: as many as rows. @defaultValue null */
  m?: number | null;
}

/** The matrix [n, m] with ones on its diagonal, else 0; without m the identity [n, n]. */
export const eye = callable<Callable<[n: number], [m: number | null], EyeOptions, Tensor>>(
  `eye(n: int, m: int|null = null, ${MADE}`,
  (n: number, m: number | null, dtype: Dtype, requiresGrad: boolean) => {
    const columns = m ?? n;
    const result = filled('eye', [n, columns], 0, dtype, false);
    const diagonal = Math.min(n, columns);
    try {
      const x = filled('eye', [diagonal], 1, dtype, false);
      if (diagonal > 0) ops.copy({ y: result.alias([diagonal], [columns + 1], 0), x });
      x.dispose();
    } catch (error) {
      result.dispose();
      throw error;
    }
    return requiresGrad ? withGrad(result) : result;
  },
);

/** Options of {@link arange}. */
export interface ArangeOptions extends TensorOptions {
  /** How far one number is from the next; not 0. @defaultValue 1 */
  step?: number;
}

const range = (start: number, end: number, step: number, dtype: Dtype, requiresGrad: boolean): Tensor => {
  if (!(step !== 0 && Number.isFinite((end - start) / step)) || (end - start) / step < 0)
    throw new ArgumentError(`arange: expected step to lead from ${start} to ${end}, got ${step}`);
  const n = Math.ceil((end - start) / step);
  checkShape('arange', [n]);
  return generate('arange', [n], (i) => start + i * step, dtype, requiresGrad);
};

/**
 * Numbers from `start` up to, not including, `end`, `step` apart. `arange(end)` starts at 0.
 * @throws ArgumentError where `step` does not lead from `start` to `end`
 */
export const arange = alternatives<{
  (end: number, options?: TensorOptions): Tensor;
  (start: number, end: number, options?: ArangeOptions): Tensor;
  (start: number, end: number, step: number, options?: TensorOptions): Tensor;
}>(
  [
    `arange(end: number, ${MADE}`,
    (end: number, dtype: Dtype, requiresGrad: boolean) => range(0, end, 1, dtype, requiresGrad),
  ],
  [`arange(start: number, end: number, step: number = 1, ${MADE}`, range],
);

/** `steps` numbers from `start` to `end`, both included, evenly apart. */
export const linspace = callable<(start: number, end: number, steps: number, options?: TensorOptions) => Tensor>(
  `linspace(start: number, end: number, steps: int, ${MADE}`,
  (start: number, end: number, steps: number, dtype: Dtype, requiresGrad: boolean) => {
    checkShape('linspace', [steps]);
    const gaps = Math.max(1, steps - 1);
    // From both ends, so that the last value is exactly `end`.
    const at = (i: number): number =>
      i < steps / 2 ? start + (i * (end - start)) / gaps : end - ((steps - 1 - i) * (end - start)) / gaps;
    return generate('linspace', [steps], at, dtype, requiresGrad);
  },
);
