// A tensor: shape, strides, dtype and a block of the arena. No arithmetic: ops/ has that.
import type { Block } from './runtime/arena.ts';
import type { Operand } from './runtime/commands.ts';
import { ArgumentError, DtypeError, FreedError, formatShape, ShapeError } from './runtime/errors.ts';
import { runtime } from './runtime/wasm.ts';

// `using` needs the symbol; engines without it get the one that compilers fall back to.
if (!Symbol.dispose) Object.defineProperty(Symbol, 'dispose', { value: Symbol.for('Symbol.dispose') });

/** Element types: 32-bit floats, 32-bit signed integers (indices, classes), bytes (masks, pixels). */
export type Dtype = 'f32' | 'i32' | 'u8';
/** Sizes, outermost first; `[]` is a single number. */
export type Shape = readonly number[];
/** What holds a tensor's numbers outside the arena: the kind that fits its dtype. */
export type TypedArray = Float32Array | Int32Array | Uint8Array;
/** A number, or arrays of arrays of numbers, all rows of one length. */
export type NestedArray = number | boolean | readonly NestedArray[];

/** Bytes of one element. */
export const bytesOf: Readonly<Record<Dtype, number>> = { f32: 4, i32: 4, u8: 1 };
/** The typed array of a dtype. */
export const arrayOf = { f32: Float32Array, i32: Int32Array, u8: Uint8Array } as const;

/** Number of elements of `shape`. */
export function numelOf(shape: Shape): number {
  let n = 1;
  for (const size of shape) n *= size;
  return n;
}

/** Row-major strides of `shape`, in elements. */
export function contiguousStrides(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  for (let d = shape.length - 1, stride = 1; d >= 0; d--) {
    strides[d] = stride;
    stride *= shape[d] as number;
  }
  return strides;
}

/** Most elements of one tensor: kernels count in i32. */
const MAX_ELEMENTS = 2 ** 31 - 1;
/** Most dims of one tensor. */
export const MAX_DIMS = 8;

/** @throws ShapeError unless every size is a whole number ≥ 0, there are at most 8, and the product fits an i32 */
export function checkShape(op: string, shape: Shape): void {
  if (!Array.isArray(shape)) throw new ShapeError(`${op}: expected a shape such as [2, 3], got ${String(shape)}`);
  for (const size of shape)
    if (!Number.isSafeInteger(size) || size < 0)
      throw new ShapeError(`${op}: expected sizes to be whole numbers from 0, got ${formatShape(shape)}`);
  if (shape.length > MAX_DIMS)
    throw new ShapeError(
      `${op}: expected at most ${MAX_DIMS} dims, got ${shape.length} in ${formatShape(shape)}; flatten some`,
    );
  // A size of 0 must not hide another that is too large for a stride.
  if (numelOf(shape.filter((size) => size > 0)) > MAX_ELEMENTS)
    throw new ShapeError(`${op}: expected at most ${MAX_ELEMENTS} elements, got ${formatShape(shape)}`);
}

function formatValues(value: NestedArray): string {
  if (typeof value === 'object') return `[${value.map(formatValues).join(', ')}]`;
  return String(Number(Number(value).toPrecision(6)));
}

/** What the tape remembers of the op that made a tensor; see autograd.ts. */
export interface GradNode {
  /** Later ops have higher numbers, so that descending order is a reverse topological order. */
  readonly sequence: number;
  readonly name: string;
}

/** Watches `.grad` of all tensors while compile() records. */
export interface GradientWatch {
  /** @returns what the reader shall get */
  read(x: Tensor, grad: Tensor | null): Tensor | null;
  /** @param before what will be replaced */
  write(x: Tensor, before: Tensor | null): void;
}

let gradients: GradientWatch | null = null;

/** Sets or, with null, ends the watch. */
export function watchGradients(watch: GradientWatch | null): void {
  gradients = watch;
}

/** Numbers in the arena with a shape; what ops take and give. See methods.ts for what can be called on it. */
export class Tensor implements Operand {
  readonly block: Block;
  readonly dtype: Dtype;
  readonly shape: Shape;
  /** Elements from one index of a dim to the next. */
  readonly strides: readonly number[];
  /** Elements from the start of the block to the first element. */
  readonly offset: number;
  /** Elements in all. */
  readonly size: number;
  /** Set through {@link requiresGrad_} or `tensor(…, { requiresGrad })`. */
  requiresGrad = false;
  /** The op that made it while gradients were recorded; null for leaves. */
  node: GradNode | null = null;
  /** Whether backward() keeps the gradient of this tensor although it is no leaf. */
  retainsGrad = false;
  #contiguous: boolean | undefined;
  #grad: Tensor | null = null;

  /** Internal: users make tensors with `tensor()`, `zeros()` and the like. */
  constructor(block: Block, dtype: Dtype, shape: Shape, strides?: readonly number[], offset = 0) {
    this.block = block;
    this.dtype = dtype;
    this.shape = shape;
    if (strides) this.strides = strides;
    else {
      this.strides = contiguousStrides(shape);
      this.#contiguous = true;
    }
    this.offset = offset;
    this.size = numelOf(shape);
  }

  /** A new tensor with its own uninitialised memory. @throws OutOfMemoryError */
  static allocate(shape: Shape, dtype: Dtype, maker: string): Tensor {
    const { arena } = runtime();
    return new Tensor(arena.allocate(numelOf(shape) * bytesOf[dtype], maker), dtype, shape);
  }

  /** Internal: other shape and strides over the same memory, without history. */
  view(shape: Shape, strides: readonly number[], offset: number): Tensor {
    return new Tensor(this.block, this.dtype, shape, strides, offset);
  }

  /** The gradient that backward() left here, or null. Accumulates until zeroGrad(). */
  get grad(): Tensor | null {
    return gradients ? gradients.read(this, this.#grad) : this.#grad;
  }

  set grad(value: Tensor | null) {
    if (gradients) gradients.write(this, this.#grad);
    this.#grad = value;
  }

  /** Lets go of the gradient and its memory. */
  clearGrad(): void {
    // While recording, what was there before belongs to what goes on if the recording fails.
    if (!gradients) this.#grad?.dispose();
    this.grad = null;
  }

  /** Number of dims. */
  get ndim(): number {
    return this.shape.length;
  }

  /** Number of elements (PyTorch's `numel`). */
  numel(): number {
    return this.size;
  }

  /** Byte address of the first element, for kernels. @throws FreedError */
  get address(): number {
    if (this.block.freed) this.#throwFreed();
    return this.block.ptr + this.offset * bytesOf[this.dtype];
  }

  #throwFreed(): never {
    throw new FreedError(
      `${this.block.maker}: expected a living tensor, got one of shape ${formatShape(this.shape)} whose memory was given back ` +
        '(its scope or loop turn ended, or dispose() was called); keep() it inside the scope, or copy it out with .data or .item()',
    );
  }

  /** Whether elements lie one behind the other in row-major order. */
  isContiguous(): boolean {
    if (this.#contiguous === undefined) {
      let contiguous = true;
      for (let d = this.ndim - 1, stride = 1; d >= 0 && contiguous; d--) {
        const size = this.shape[d] as number;
        if (size !== 1) contiguous = this.strides[d] === stride;
        stride *= size;
      }
      this.#contiguous = contiguous || this.size === 0;
    }
    return this.#contiguous;
  }

  /** Whether this is a leaf: made by the user, not by a recorded op. */
  get isLeaf(): boolean {
    return this.node === null;
  }

  /** Turns the recording of gradients on or off for this leaf (PyTorch's `requires_grad_`). */
  requiresGrad_(on = true): this {
    if (on && this.dtype !== 'f32')
      throw new DtypeError(`requiresGrad_: expected f32, got ${this.dtype}; only f32 tensors have gradients`);
    if (!this.isLeaf && !on)
      throw new ArgumentError(
        'requiresGrad_: expected a leaf, got the result of a recorded op; use detach() for a copy without gradient',
      );
    this.requiresGrad = on;
    return this;
  }

  /** Keeps the gradient of this tensor in backward() although it is no leaf (PyTorch's `retain_grad`). */
  retainGrad(): this {
    this.retainsGrad = true;
    return this;
  }

  /** The same memory without its history: no gradient flows through it. */
  detach(): Tensor {
    return this.view(this.shape, this.strides, this.offset);
  }

  /** A typed-array copy of the elements in row-major order. @throws FreedError */
  get data(): TypedArray {
    const from = this.address / bytesOf[this.dtype];
    const { arena, recorder } = runtime();
    recorder?.refuse('data', 'return the tensor from the compiled function and read it outside');
    const memory = this.dtype === 'f32' ? arena.f32 : this.dtype === 'i32' ? arena.i32 : arena.u8;
    // Not slice(): its result would be shared memory when the arena is.
    const copy = new arrayOf[this.dtype](this.size);
    if (this.isContiguous()) {
      copy.set(memory.subarray(from, from + this.size));
      return copy;
    }
    let at = 0;
    const walk = (dim: number, position: number): void => {
      const size = this.shape[dim] as number;
      const stride = this.strides[dim] as number;
      if (dim === this.ndim - 1) for (let i = 0; i < size; i++) copy[at++] = memory[position + i * stride] as number;
      else for (let i = 0; i < size; i++) walk(dim + 1, position + i * stride);
    };
    walk(0, from);
    return copy;
  }

  /** The number in a tensor of one element. @throws ShapeError for any other */
  item(): number {
    const index = this.address / bytesOf[this.dtype];
    if (this.size !== 1)
      throw new ShapeError(`item: expected one element, got shape ${formatShape(this.shape)}; use toArray() or data`);
    const { arena, recorder } = runtime();
    recorder?.refuse(
      'item',
      'return the tensor from the compiled function and read it outside, or choose with where() and not with if',
    );
    return (this.dtype === 'f32' ? arena.f32 : this.dtype === 'i32' ? arena.i32 : arena.u8)[index] as number;
  }

  /** Nested arrays of the elements; a number for shape `[]`. */
  toArray(): NestedArray {
    const { data } = this;
    let at = 0;
    const build = (dim: number): NestedArray => {
      if (dim === this.ndim) return data[at++] as number;
      return Array.from({ length: this.shape[dim] as number }, () => build(dim + 1));
    };
    return build(0);
  }

  /** Lets the tensor outlive the scopes around it, until dispose(). Returns itself. */
  keep(): this {
    if (this.block.freed) this.#throwFreed();
    runtime().arena.adopt(this.block, null);
    return this;
  }

  /** Gives the memory back, which it shares with its views. Using them afterwards throws FreedError; a second call does nothing. */
  dispose(): void {
    this.block.free();
    if (this.#grad) this.clearGrad();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** `Tensor f32 [2, 2] [[1, 2], [3, 4]]`, shortened beyond 60 elements. */
  toString(): string {
    const head = `Tensor ${this.dtype} ${formatShape(this.shape)}`;
    if (this.block.freed) return `${head} (freed)`;
    return this.size <= 60 ? `${head} ${formatValues(this.toArray())}` : head;
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }
}
