// What flows between nodes: tensors, and what is known beside them: shapes, axes, sizes of windows and other lists of
// few numbers. Those are arrays of JavaScript, so that nothing has to be read from memory while a program is recorded.

import { tensor } from '../creation.ts';
import { tracing } from '../execute.ts';
import { DtypeError, formatShape } from '../memory/errors.ts';
import { type Dtype, host, numelOf, type Shape, Tensor, type TypedArray } from '../tensor.ts';
import { DATA } from './messages.ts';

/** The number that ONNX gives a type of elements. */
export type ElementType = number;

/** Numbers on the host, row by row. */
export class HostArray {
  readonly sizes: Shape;
  readonly data: readonly number[];
  readonly #lasting: boolean;
  #tensor: Tensor | null = null;

  /** @param lasting whether a tensor of it lasts until dispose() is called, as that of a constant */
  constructor(sizes: Shape, data: readonly number[], lasting = false) {
    this.sizes = sizes;
    this.data = data;
    this.#lasting = lasting;
  }

  /** As a tensor. */
  asTensor(type: ElementType): Tensor {
    if (this.#tensor && !this.#tensor.block.freed) return this.#tensor;
    const made = tensor(arrayOf(type, this.data), { shape: this.sizes as number[] });
    if (this.#lasting && !tracing()) this.#tensor = made.keep();
    return made;
  }

  dispose(): void {
    this.#tensor?.dispose();
  }
}

/** A list of values; of an optional value, one or none. */
export class Sequence extends HostArray {
  readonly items: readonly Value[];

  constructor(items: readonly Value[]) {
    super([items.length], []);
    this.items = items;
  }

  override asTensor(): Tensor {
    throw new DtypeError(
      `onnx: expected a tensor, got a sequence of ${this.items.length}; cut the model by the option outputs before it`,
    );
  }
}

/** A tensor, or numbers of the host. */
export type Value = Tensor | HostArray;

/** Up to this many numbers are held on the host. */
export const MOST_ON_HOST = 4096;

/** A list of numbers. */
export const listOf = (data: readonly number[]): HostArray => new HostArray([data.length], data);
/** A single number. */
export const numberOf = (value: number): HostArray => new HostArray([], [value]);

const { FLOAT, DOUBLE, FLOAT16, BFLOAT16, BOOL, UINT8 } = DATA;

/** Whether a type has fractions. */
export const isFloat = (type: ElementType): boolean =>
  type === FLOAT || type === DOUBLE || type === FLOAT16 || type === BFLOAT16;

/** What tensors of a type are here: f64 and halves are f32, whole numbers of all sizes i32, bytes and truths u8. */
export function dtypeOf(type: ElementType): Dtype {
  if (isFloat(type)) return 'f32';
  return type === BOOL || type === UINT8 ? 'u8' : 'i32';
}

/** The least and the greatest number of each type of whole numbers; of 64 bits, those that i32 has. */
const RANGES: Readonly<Record<number, readonly [low: number, high: number]>> = {
  [DATA.UINT8]: [0, 255],
  [DATA.INT8]: [-128, 127],
  [DATA.UINT16]: [0, 65535],
  [DATA.INT16]: [-32768, 32767],
  [DATA.BOOL]: [0, 1],
  [DATA.UINT4]: [0, 15],
  [DATA.INT4]: [-8, 7],
  [DATA.UINT2]: [0, 3],
  [DATA.INT2]: [-2, 1],
};
const ALL: readonly [low: number, high: number] = [-(2 ** 31), 2 ** 31 - 1];
export const rangeOf = (type: ElementType): readonly [low: number, high: number] => RANGES[type] ?? ALL;

/** @throws DtypeError where i32 does not hold one of the numbers */
function arrayOf(type: ElementType, data: readonly number[]): TypedArray {
  if (isFloat(type)) return Float32Array.from(data);
  const Integers = dtypeOf(type) === 'u8' ? Uint8Array : Int32Array;
  const array = Integers.from(data);
  for (let i = 0; i < data.length; i++)
    if (array[i] !== data[i])
      throw new DtypeError(
        `onnx: expected whole numbers from ${ALL[0]} to ${ALL[1]}, which tensors hold, got ${data[i]}; change the model`,
      );
  return array;
}

/** The value as a tensor. @param type of its elements */
export const tensorOf = (value: Value, type: ElementType): Tensor =>
  value instanceof Tensor ? value : value.asTensor(type);

/**
 * The value as numbers of the host. Of a tensor they are read.
 * @throws RecordingError inside of compile() for a tensor
 */
export function numbersOf(value: Value, reader: string): readonly number[] {
  if (value instanceof HostArray) return value.data;
  tracing()?.refuse(
    reader,
    `it takes a shape or the like that the model computes from values of tensors, here of shape ${formatShape(value.sizes)}; call the model outside of compile()`,
  );
  return Array.from(host.download(value, reader));
}

/** @returns the value on the host: a tensor's numbers are read */
export const onHost = (value: Value, reader: string): HostArray =>
  value instanceof HostArray ? value : new HostArray(value.sizes, numbersOf(value, reader));

/** How many elements a value has. */
export const countOf = (value: Value): number => numelOf(value.sizes);
