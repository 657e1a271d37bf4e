// The element types: one row each. A storage dtype to come is a row here and its casts in kernels/elementwise.ts.
import { optional, rowOf } from './lookup.ts';
import { ArgumentError, DtypeError, describe } from './memory/errors.ts';

/** Element types: 32-bit floats, 32-bit signed integers (indices, classes), bytes (masks, pixels). */
export type Dtype = 'f32' | 'i32' | 'u8';
/** What holds a tensor's numbers outside the arena: the kind that fits its dtype. */
export type TypedArray = Float32Array | Int32Array | Uint8Array;

/** All that has to be known of a dtype. */
export interface DtypeRow {
  /** Bytes of one element. */
  readonly bytes: 1 | 4;
  readonly array: Float32ArrayConstructor | Int32ArrayConstructor | Uint8ArrayConstructor;
  /** Whether it holds fractions, and so gradients. */
  readonly floating: boolean;
  /** The whole numbers that it holds; null for floats, which hold any number, rounded. */
  readonly range: readonly [low: number, high: number] | null;
}

/** The table of dtypes, the widest first. */
export const dtypes: Readonly<Record<Dtype, DtypeRow>> = {
  f32: { bytes: 4, array: Float32Array, floating: true, range: null },
  i32: { bytes: 4, array: Int32Array, floating: false, range: [-(2 ** 31), 2 ** 31 - 1] },
  u8: { bytes: 1, array: Uint8Array, floating: false, range: [0, 255] },
};

const names = optional(() =>
  Object.keys(dtypes)
    .map((name) => `'${name}'`)
    .join(', '),
);

/** From the widest on: the first of two holds what both hold. */
const widths = Object.keys(dtypes) as Dtype[];

/** The dtype of what comes of two (PyTorch's `promote_types`): f32 beside anything, else i32 beside u8. */
export const promote = (a: Dtype, b: Dtype): Dtype => (widths.indexOf(a) < widths.indexOf(b) ? a : b);

/** @throws DtypeError unless `dtype` names a row of the table; names such as 'constructor' do not */
export function checkDtype(op: string, dtype: unknown): asserts dtype is Dtype {
  if (!rowOf(dtypes, dtype))
    throw new DtypeError(`${op}: expected dtype ${names.replace(/, ([^,]*)$/, ' or $1')}, got ${describe(dtype)}`);
}

/**
 * @param from the position of the first of `values` among all, and how many there are in all, for the message
 * @throws ArgumentError where `dtype` cannot hold one of `values`
 */
export function checkValues(
  op: string,
  values: ArrayLike<number>,
  dtype: Dtype,
  from = 0,
  count = values.length,
): void {
  const { range } = dtypes[dtype];
  if (!range) return;
  const [low, high] = range;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    if (!(Number.isInteger(value) && value >= low && value <= high))
      throw new ArgumentError(
        `${op}: expected whole numbers from ${low} to ${high} for dtype ${dtype}, got ${value}${count > 1 ? ` at position ${from + i}` : ''}`,
      );
  }
}

/** Whether `x` is an array of numbers or bigints, of whatever kind. */
export const isTypedArray = (x: unknown): x is TypedArray & ArrayLike<number> =>
  ArrayBuffer.isView(x) && !(x instanceof DataView);

const integerArrays = [Int8Array, Int16Array, Int32Array, Uint16Array, Uint32Array];

/** The dtype that a typed array keeps its numbers in. @throws DtypeError for bigints, which no dtype holds */
export function dtypeOfArray(op: string, array: ArrayBufferView): Dtype {
  if (array instanceof Float32Array) return 'f32';
  if (array instanceof Uint8Array || array instanceof Uint8ClampedArray) return 'u8';
  if (integerArrays.some((kind) => array instanceof kind)) return 'i32';
  if (array instanceof BigInt64Array || array instanceof BigUint64Array)
    throw new DtypeError(
      `${op}: expected a typed array of numbers, got one of bigints; convert it with Int32Array.from(x, Number)`,
    );
  return 'f32'; // of 16, 32 or 64 bits
}
