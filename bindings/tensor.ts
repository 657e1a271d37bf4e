// A tensor: shape, strides, dtype and a block of the arena. No arithmetic: ops/ has that.
import { type Dtype, dtypes, type TypedArray } from './dtypes.ts';
import { runtime } from './engine/engine.ts';
import type { Operand } from './kernels/descriptor.ts';
import { describe, kinds, orList } from './kinds.ts';
import type { Block, Scope } from './memory/arena.ts';
import { ArgumentError, DtypeError, FreedError, formatShape, ShapeError } from './memory/errors.ts';

declare global {
  // So that the declarations also compile where `lib` is older than the symbol.
  interface SymbolConstructor {
    readonly dispose: unique symbol;
  }
}

// `using` needs the symbol; engines without it get the one that compilers fall back to.
if (!Symbol.dispose) Object.defineProperty(Symbol, 'dispose', { value: Symbol.for('Symbol.dispose') });

export type { Dtype, TypedArray } from './dtypes.ts';
/** Sizes, outermost first; `[]` is a single number. */
export type Shape = readonly number[];
/** A number, or arrays of arrays of numbers, all rows of one length. */
export type NestedArray = number | boolean | readonly NestedArray[];

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
  if (!Array.isArray(shape)) throw new ShapeError(`${op}: expected a shape such as [2, 3], got ${describe(shape)}`);
  if (shape.length > MAX_DIMS)
    throw new ShapeError(
      `${op}: expected at most ${MAX_DIMS} dims, got ${shape.length} in ${formatShape(shape)}; flatten some`,
    );
  for (const size of shape)
    if (!Number.isSafeInteger(size) || size < 0)
      throw new ShapeError(`${op}: expected sizes to be whole numbers from 0, got ${formatShape(shape)}`);
  // A size of 0 must not hide another that is too large for a stride.
  if (numelOf(shape.filter((size) => size > 0)) > MAX_ELEMENTS)
    throw new ShapeError(`${op}: expected at most ${MAX_ELEMENTS} elements, got ${formatShape(shape)}`);
}

function formatValues(value: NestedArray): string {
  if (typeof value === 'object') return `[${value.map(formatValues).join(', ')}]`;
  return String(Number(Number(value).toPrecision(6)));
}

/** What the tape remembers of the op that made a tensor; see autograd.ts. @internal */
export interface GradNode {
  /** Later ops have higher numbers, so that descending order is a reverse topological order. */
  readonly sequence: number;
  readonly name: string;
}

/** Watches `.grad` of all tensors while compile() records. @internal */
export interface GradientWatch {
  /** @returns what the reader shall get */
  read(x: Tensor, grad: Tensor | null): Tensor | null;
  /** @param before what will be replaced */
  write(x: Tensor, before: Tensor | null): void;
}

let gradients: GradientWatch | null = null;

/**
 * Reads the numbers of a tensor in row-major order, for the method `reader`; execute.ts, which may see memory, puts
 * itself in here.
 */
export const host: { download(x: Tensor, reader: string): TypedArray } = {
  download: () => {
    throw new Error('retrograd: expected execute.ts to be loaded');
  },
};

/** Gradients that the user set: their memory is the user's. */
const given = new WeakSet<Tensor>();

/** @throws ArgumentError, DtypeError, ShapeError, FreedError unless `g` may be the gradient of `x` */
export function checkGradient(op: string, x: Tensor, g: unknown): asserts g is Tensor {
  if (!(g instanceof Tensor))
    throw new ArgumentError(
      `${op}: expected a tensor as the gradient, got ${typeof g}; numbers become one by tensor(…)`,
    );
  g.checkAlive();
  if (g.dtype !== 'f32' || x.dtype !== 'f32')
    throw new DtypeError(
      `${op}: expected a gradient of dtype f32 of an f32 tensor, got ${g.dtype} of ${x.dtype}; convert it with .to('f32')`,
    );
  if (g.shape.length !== x.shape.length || !g.shape.every((size, d) => size === x.shape[d]))
    throw new ShapeError(
      `${op}: expected a gradient of shape ${formatShape(x.shape)}, got ${formatShape(g.shape)}; reshape() or expand() it`,
    );
  if (!g.isContiguous())
    throw new ArgumentError(
      `${op}: expected a contiguous gradient, got shape ${formatShape(g.shape)} with strides ${formatShape(g.strides)}; use contiguous()`,
    );
}

/** Sets or, with null, ends the watch. */
export function watchGradients(watch: GradientWatch | null): void {
  gradients = watch;
}

/**
 * Numbers in the arena with a shape; what ops take and give. {@link tensor}, {@link zeros}, {@link randn} and the like
 * make them. Functions on tensors are methods as well: `x.add(y)` is `add(x, y)`.
 */
export class Tensor implements Operand {
  /** The memory, which views share. @internal */
  readonly block: Block;
  /** The element type. */
  readonly dtype: Dtype;
  /** Sizes, outermost first; `[]` for a single number. */
  readonly shape: Shape;
  /** For each dim, the elements from one index to the next. */
  readonly strides: readonly number[];
  /** Elements from the start of the memory to the first element. */
  readonly offset: number;
  /** Bytes from the start of the memory to the first element. @internal */
  readonly byteOffset: number;
  /** Elements in all. */
  readonly size: number;
  /** Whether gradients flow to it. Set through {@link requiresGrad_} or `tensor(…, { requiresGrad })`. */
  requiresGrad = false;
  /** The op that made it while gradients were recorded; null for leaves. @internal */
  node: GradNode | null = null;
  /** Which of the differentiable results of `node` this is. @internal */
  slot = 0;
  /** Whether an op made it as another look at the memory of another tensor. @internal */
  isView = false;
  /** Whether backward() keeps the gradient of this tensor although it is no leaf. */
  retainsGrad = false;
  #contiguous: boolean | undefined;
  #grad: Tensor | null = null;

  /** Users make tensors with `tensor()`, `zeros()` and the like. @internal */
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
    this.byteOffset = offset === 0 ? 0 : offset * dtypes[dtype].bytes;
    this.size = numelOf(shape);
  }

  /**
   * A new tensor with its own uninitialised memory.
   * @param turn of a loop that it descends from
   * @throws OutOfMemoryError
   * @internal
   */
  static allocate(shape: Shape, dtype: Dtype, maker: string, turn: Scope | null = null): Tensor {
    const { arena } = runtime();
    return new Tensor(arena.allocate(numelOf(shape) * dtypes[dtype].bytes, maker, turn), dtype, shape);
  }

  /** Other shape and strides over the same memory, without history. @internal */
  view(shape: Shape, strides: readonly number[], offset: number): Tensor {
    return new Tensor(this.block, this.dtype, shape, strides, offset);
  }

  /** The gradient that `backward()` left here, or null. It accumulates until `zeroGrad()`. */
  get grad(): Tensor | null {
    return gradients ? gradients.read(this, this.#grad) : this.#grad;
  }

  /**
   * Replaces the gradient; the one before is not disposed of. null or undefined: there is none.
   * @throws ArgumentError, DtypeError, ShapeError unless it is a living, contiguous f32 tensor of this shape
   */
  set grad(value: Tensor | null | undefined) {
    if (value !== null && value !== undefined) {
      checkGradient('grad', this, value);
      if (value === this)
        throw new ArgumentError('grad: expected another tensor as the gradient, got the tensor itself; use clone()');
      given.add(value);
    }
    this.takeGrad(value ?? null);
  }

  /** Replaces the gradient by one that the library made, of the right kind. @internal */
  takeGrad(value: Tensor | null): void {
    if (gradients) gradients.write(this, this.#grad);
    this.#grad = value;
  }

  /** Lets go of the gradient, and of its memory where backward() made it. */
  clearGrad(): void {
    // While recording, what was there before belongs to what goes on if the recording fails.
    if (!gradients && this.#grad && !given.has(this.#grad)) this.#grad.dispose();
    this.takeGrad(null);
  }

  /** Number of dims. */
  get ndim(): number {
    return this.shape.length;
  }

  /** Number of elements (PyTorch's `numel`). */
  numel(): number {
    return this.size;
  }

  /** @throws FreedError when its memory was given back @internal */
  checkAlive(): void {
    if (this.block.freed) this.#throwFreed();
  }

  #throwFreed(): never {
    runtime(); // without one, that is what is wrong
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

  /**
   * Turns gradients on or off for this leaf (PyTorch's `requires_grad_`). Returns itself.
   * @throws DtypeError unless f32, ArgumentError for off where it is no leaf
   */
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

  /** Makes `backward()` keep the gradient here, though this is no leaf (PyTorch's `retain_grad`). Returns itself. */
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
    return host.download(this, 'data');
  }

  /** The number in a tensor of one element. @throws ShapeError for any other */
  item(): number {
    this.checkAlive();
    if (this.size !== 1)
      throw new ShapeError(`item: expected one element, got shape ${formatShape(this.shape)}; use toArray() or data`);
    return host.download(this, 'item')[0] as number;
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

  /**
   * Lets the tensor, and its gradient, outlive the scopes around it, until {@link dispose}. Returns itself.
   * @throws FreedError
   */
  keep(): this {
    this.checkAlive();
    runtime().arena.keep(this.block);
    if (this.#grad && !this.#grad.block.freed) this.#grad.keep();
    return this;
  }

  /**
   * Gives the memory back, which it shares with its views. Using them afterwards throws FreedError; a second call does
   * nothing.
   */
  dispose(): void {
    this.block.free();
    if (this.#grad) this.clearGrad();
  }

  /** {@link dispose}, called at the end of a block with `using`. */
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

kinds.Tensor = [(x) => x instanceof Tensor, 'a tensor', 'tensors'];
kinds.dtype = [(x) => typeof x === 'string' && Object.hasOwn(dtypes, x), orList(Object.keys(dtypes).map(describe))];
