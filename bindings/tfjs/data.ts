// The data of a tensor of TensorFlow.js: at once the id by which tfjs knows it, the backend's entry, and an operand of
// kernels. Numbers lie in the arena; strings, and what a kernel of the cpu backend has made, in arrays of JavaScript
// until a kernel of ours asks for them.
import { runtime } from '../engine/engine.ts';
import type { Operand } from '../kernels/descriptor.ts';
import type { Block } from '../memory/arena.ts';
import { formatShape, ShapeError } from '../memory/errors.ts';
import type { Views } from '../memory/heap.ts';
import type { Info, TfDtype, Values } from './engine.ts';

/** How numbers lie in memory. */
export const arrays = { float32: Float32Array, int32: Int32Array, bool: Uint8Array } as const;
export type NumberDtype = keyof typeof arrays;
export const isNumber = (dtype: TfDtype): dtype is NumberDtype =>
  dtype === 'float32' || dtype === 'int32' || dtype === 'bool';

/** Bytes of an element in memory. */
export const bytesOf = (dtype: TfDtype): 1 | 4 => (dtype === 'bool' ? 1 : 4);

/** The memory as numbers of a dtype. */
const viewOf = ({ f32, i32, u8 }: Views, dtype: TfDtype): Float32Array | Int32Array | Uint8Array =>
  dtype === 'float32' ? f32 : dtype === 'int32' ? i32 : u8;

/** An array of JavaScript: numbers of some kind, encoded strings, or nothing yet. */
export type Held = ArrayLike<unknown> | null | undefined;

/**
 * Whether an array is a look at the arena, which must not be kept. Nothing lies at its start: the buffer of a small
 * array of JavaScript, which engines have yet to make then, is not asked for.
 */
export const isView = (values: Held): boolean =>
  ArrayBuffer.isView(values) && values.byteOffset > 0 && values.buffer === runtime().arena.views.u8.buffer;

/** Most elements of one tensor: kernels count in i32. */
const MOST_ELEMENTS = 2 ** 31 - 1;

/** Elements of a shape that came out of attributes. @throws ShapeError for one that no tensor has */
export function countOf(shape: readonly number[]): number {
  let n = 1;
  let whole = true;
  for (const size of shape) {
    n *= size;
    whole &&= Number.isInteger(size) && size >= 0;
  }
  if (!whole || n > MOST_ELEMENTS)
    throw new ShapeError(
      `retrograd: expected a shape of whole numbers from 0 and at most ${MOST_ELEMENTS} elements, got ${formatShape(shape)}; take others`,
    );
  return n;
}

/** Calls `fn` so that blocks get memory, also while a step is traced, whose blocks have none. */
export function withMemory<T>(fn: () => T): T {
  const { arena } = runtime();
  const { stand } = arena;
  arena.stand = null;
  try {
    return fn();
  } finally {
    arena.stand = stand;
  }
}

/** Real and imaginary parts by turns, and one of the two out of both. */
export function interleave(real: ArrayLike<number>, imag: ArrayLike<number>): Float32Array {
  return Float32Array.from({ length: real.length * 2 }, (_, i) => (i & 1 ? imag : real)[i >> 1] as number);
}
export function everySecond(values: ArrayLike<number>, first: 0 | 1): Float32Array {
  return Float32Array.from({ length: values.length / 2 }, (_, i) => values[2 * i + first] as number);
}

/** Numbers that are written one by one. */
const FEW = 16;

/** A kernel that has yet to run. Its result has no place until then. */
export interface Later {
  /** What it is computed from. Their memory stays while it waits, whoever lets go of it. */
  readonly inputs: readonly Data[];
  compute(y: Data): void;
  /**
   * Computes y, which is the result of the element by element kernel of that name for ours and `other`, without ours;
   * of a kernel that takes one tensor, `other` is ours.
   * @returns whether it did
   */
  joins(kernel: string, y: Info & { readonly dataId: Data }, other: Info): boolean;
  /** Computes all that waits with it, where that is done as a whole. */
  readonly settle?: () => void;
  /** What it is 1 for where that is above 0, else 0. */
  readonly gate?: Data | undefined;
}

/** Where the greatest elements are that a pool took of x: by windows, counted from each image. */
export interface Peaks {
  readonly index: Data;
  readonly x: Data;
  readonly dims: readonly number[];
}

/** A backend, as its data sees it. */
interface Owner {
  /** Computes what waits. */
  settle(data: Data): void;
}

export class Data implements Operand {
  /** Null once it is gone: tfjs may give the same id back. */
  owner: Owner | null;
  readonly dtype: TfDtype;
  /** Elements. */
  size: number;
  refCount = 1;
  readonly byteOffset = 0;
  /** Of complex64: the parts, which have entries of their own. Set by the cpu backend's kernels. */
  complexTensorInfos: { readonly real: Info; readonly imag: Info } | undefined = undefined;
  /** Neighbours in the list of living data. */
  before: Data | null = null;
  after: Data | null = null;
  /** Where the numbers are; null while they are in `held`. */
  place: Block | null;
  held: Held = null;
  /** What is yet to compute its numbers. */
  later: Later | null = null;
  /** What it is the relu() of, and what is the relu() of it. */
  relu: Data | null = null;
  positive: Data | null = null;
  /** Of a pool. */
  peaks: Peaks | null = null;
  /** How many kernels that wait are going to read it. */
  readers = 0;
  /** What tfjs keeps of it, and for which table: see known.ts. */
  table: object | null = null;
  info: object | null = null;

  constructor(owner: Owner, dtype: TfDtype, size: number, place: Block | null) {
    this.owner = owner;
    this.dtype = dtype;
    this.size = size;
    this.place = place;
  }

  /** For programs, which look at no more of it than the size. */
  get shape(): readonly number[] {
    return [this.size];
  }

  /** The memory, into which numbers go now that were in an array of JavaScript. @throws OutOfMemoryError */
  get block(): Block {
    if (this.later) this.owner?.settle(this);
    return this.place ?? this.upload();
  }

  upload(): Block {
    const { dtype, held } = this;
    if (!isNumber(dtype) || !held) throw new Error(`retrograd: expected numbers, got ${dtype} data without any`);
    return withMemory(() => {
      const place = runtime().arena.bare(held.length * bytesOf(dtype), 'TensorFlow.js');
      this.place = place;
      this.held = null;
      this.size = held.length;
      this.fill(held);
      return place;
    });
  }

  /** Overwrites the numbers in memory. */
  fill(values: ArrayLike<unknown>): void {
    const { arena, kernels } = runtime();
    const n = values.length;
    const { block } = this;
    const bytes = bytesOf(this.dtype);
    // What is under way may still use this memory for what was here: a kernel writes them, when its turn comes.
    const room = n > 0 && arena.underWay?.room(n * bytes);
    if (room) {
      this.#write(arena.views, room, values);
      const copy = { y: this, x: { block: { ptr: room, version: 0 }, byteOffset: 0 }, dims: [1, n, 1, 1] };
      if (bytes === 1) kernels.copy_8(copy);
      else kernels.copy_32(copy);
    } else {
      arena.underWay?.wait();
      this.#write(arena.views, block.ptr, values);
    }
  }

  #write(views: Views, address: number, values: ArrayLike<unknown>): void {
    const all = viewOf(views, this.dtype);
    const from = address / bytesOf(this.dtype);
    // tfjs makes a tensor of each number that it computes with; set() would cost more than those.
    if (values.length > FEW) all.set(values as ArrayLike<number>, from);
    else for (let i = 0; i < values.length; i++) all[from + i] = values[i] as number;
  }

  /** Takes the memory of other data, which is let go of then. */
  takeFrom(other: Data): void {
    this.place = other.block;
    this.later = null;
    other.place = null;
  }

  /** A look at the numbers in memory, until memory grows or the next kernel is called. */
  look(size = this.size): Float32Array | Int32Array | Uint8Array {
    const { arena } = runtime();
    const from = this.block.ptr / bytesOf(this.dtype);
    arena.underWay?.wait();
    return viewOf(arena.views, this.dtype).subarray(from, from + size);
  }

  /** What kernels of the cpu backend read: a look at memory that is made anew each time, since memory grows. */
  get values(): Held {
    return this.place || this.later ? this.look() : this.held;
  }

  set values(values: Held) {
    this.place?.free();
    this.place = null;
    this.held = isView(values) ? (values as Float32Array).slice() : values;
    this.size = values?.length ?? 0;
  }
}

/** What stands between tfjs and the backend while a step is traced: nothing is computed then. See accelerate/. */
export interface Tracer {
  /** Data was made. */
  note(data: Data): void;
  /** Numbers come from JavaScript. */
  write(values: Values, shape: readonly number[], dtype: TfDtype): Data;
  /** Whether a block is its own; others, which are let go of meanwhile, it frees when it is done. */
  take(block: Block): void;
  /** @throws RecordingError always: what was asked for cannot be a part of a program */
  refuse(what: string): never;
}
