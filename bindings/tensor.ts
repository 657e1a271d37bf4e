// A tensor: shape, strides, dtype and a block of the arena. No arithmetic: ops/ has that.
import { type Dtype, dtypes, type TypedArray } from './dtypes.ts';
import { runtime } from './engine/engine.ts';
import { gradients } from './gradient-watch.ts';
import type { Operand } from './kernels/descriptor.ts';
import { kinds, orList } from './kinds.ts';
import { rowOf } from './lookup.ts';
import type { Block, Scope } from './memory/arena.ts';
import {
  ArgumentError,
  DtypeError,
  describe,
  FreedError,
  formatShape,
  GradError,
  named,
  ShapeError,
} from './memory/errors.ts';
import type { Arguments } from './signature.ts';
import { checkListed, contiguousStrides, copyOf, nested, numelOf, type Shape, sameShape } from './sizes.ts';
import { expectNone, type RequiresGradOptions, takes } from './takes.ts';
import { jsonOf, numberOf, type TensorJson, textOf } from './text.ts';

declare global {
  // So that the declarations also compile where `lib` is older than the symbol.
  interface SymbolConstructor {
    readonly dispose: unique symbol;
  }
}

// `using` needs the symbol; engines without it get the one that compilers fall back to.
if (!Symbol.dispose) Object.defineProperty(Symbol, 'dispose', { value: Symbol.for('Symbol.dispose') });

export type { Dtype, TypedArray } from './dtypes.ts';
// biome-ignore lint/performance/noBarrelFile: who makes tensors needs them, and finds them here
export { checkShape, contiguousStrides, MAX_DIMS, numelOf, type Shape } from './sizes.ts';
/** A number, or arrays of arrays of numbers, all rows of one length. */
export type NestedArray = number | boolean | readonly NestedArray[];

/** What the tape remembers of the op that made a tensor; see autograd.ts. @internal */
export interface GradNode {
  /** Later ops have higher numbers, so that descending order is a reverse topological order. */
  readonly sequence: number;
  readonly name: string;
  /** The differentiable results, by slot. */
  readonly outputs: Tensor[];
}

/** How a view was made. @internal */
export interface ViewSource {
  /** What is no view itself: the history of that is what its views have. */
  readonly base: Tensor;
}

/** Gives a view the history that its base has now; histories.ts puts itself in here. @internal */
export const views: { renew(view: Tensor): void } = { renew: () => {} };

/**
 * Reads the numbers of a tensor in row-major order, for the method `reader`; execute.ts, which may see memory, puts
 * itself in here.
 */
export const host: { download(x: Tensor, reader: string): TypedArray } = { download: unread };
/** What stands there before. */
export function unread(): never {
  throw new Error('retrograd: expected execute.ts to be loaded');
}

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
  if (!sameShape(g.sizes, x.sizes))
    throw new ShapeError(
      `${op}: expected a gradient of shape ${formatShape(x.shape)}, got ${formatShape(g.shape)}; reshape() or expand() it`,
    );
  if (!g.isContiguous())
    throw new ArgumentError(
      `${op}: expected a contiguous gradient, got shape ${formatShape(g.shape)} with strides ${formatShape(g.strides)}; use contiguous()`,
    );
}

/**
 * Numbers in the arena with a shape; what ops take and give. {@link tensor}, {@link zeros}, {@link randn} and the like
 * make them. Functions on tensors are methods as well: `x.add(y)` is `add(x, y)`.
 */
export class Tensor implements Operand {
  /** The memory, which views share. @internal */
  readonly block: Block;
  /** The shape itself, which tensors may share; `shape` copies it. @internal */
  readonly sizes: Shape;
  /** The strides themselves; `strides` copies them. @internal */
  readonly steps: readonly number[];
  /** Bytes from the start of the memory to the first element. @internal */
  readonly byteOffset: number;
  /** The op that made it while gradients were recorded; null for leaves. @internal */
  node: GradNode | null = null;
  /** Which of the differentiable results of `node` this is. @internal */
  slot = 0;
  /** Of a view whose writes its base has to know: how it was made. @internal */
  source: ViewSource | null = null;
  /** How often noted writes gave it another history; of a view, its base when the view last looked. @internal */
  edition = 0;
  readonly #dtype: Dtype;
  readonly #offset: number;
  readonly #size: number;
  #requiresGrad = false;
  #retainsGrad = false;
  #contiguous: boolean | undefined;
  #grad: Tensor | null = null;

  /** Users make tensors with `tensor()`, `zeros()` and the like. @internal */
  constructor(block: Block, dtype: Dtype, shape: Shape, strides?: readonly number[], offset = 0) {
    // A look at a field, since instanceof would be a twentieth of a small op.
    if (!(block as Block | undefined)?.origin)
      throw new ArgumentError('Tensor: expected tensor(…), zeros(…) or the like, got new Tensor(…); call one of those');
    this.block = block;
    this.#dtype = dtype;
    this.sizes = shape;
    if (strides) this.steps = strides;
    else {
      this.steps = contiguousStrides(shape);
      this.#contiguous = true;
    }
    this.#offset = offset;
    this.byteOffset = offset === 0 ? 0 : offset * dtypes[dtype].bytes;
    this.#size = numelOf(shape);
  }

  /** A new tensor with its own uninitialised memory. @param turn that it descends from @internal */
  static allocate(shape: Shape, dtype: Dtype, maker: string, turn: Scope | null = null): Tensor {
    return new Tensor(runtime().arena.allocate(numelOf(shape) * dtypes[dtype].bytes, maker, turn), dtype, shape);
  }

  /** Other shape and strides over the same memory, or another block, without history. @internal */
  alias(shape: Shape, strides: readonly number[], offset: number, block = this.block): Tensor {
    const x = new Tensor(block, this.dtype, shape, strides, offset);
    gradients.watch?.made(x);
    return x;
  }

  /** The element type. */
  get dtype(): Dtype {
    return this.#dtype;
  }

  /** Number of elements. */
  get size(): number {
    return this.#size;
  }

  /** Elements from the start of the memory to the first element. */
  get offset(): number {
    return this.#offset;
  }

  /** Sizes, outermost first; `[]` for a single number. A copy: to change it changes nothing. */
  get shape(): Shape {
    return copyOf(this.sizes);
  }

  /** For each dim, the elements from one index to the next. A copy, as `shape` is. */
  get strides(): readonly number[] {
    return copyOf(this.steps);
  }

  /** The gradient that `backward()` left here, or null. It accumulates until `zeroGrad()`. */
  get grad(): Tensor | null {
    return gradients.watch ? gradients.watch.read(this, this.#grad) : this.#grad;
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
      // As what backward() leaves, it lasts where this does.
      if (!this.block.scope) value.keep();
    }
    this.takeGrad(value ?? null);
  }

  /** Replaces the gradient by one that the library made, of the right kind. @internal */
  takeGrad(value: Tensor | null): void {
    gradients.watch?.write(this, this.#grad);
    this.#grad = value;
  }

  /** Lets go of the gradient, and of its memory where backward() made it. */
  clearGrad(...args: []): void {
    expectNone('clearGrad', args);
    // What was there before compile() began to trace goes on if that fails.
    const grad = this.#grad;
    if (grad && !given.has(grad) && (gradients.watch?.owns(grad) ?? true)) grad.dispose();
    this.takeGrad(null);
  }

  /** Number of dims. */
  get ndim(): number {
    return this.sizes.length;
  }

  /** Number of dims, as {@link ndim} (PyTorch's `dim`). */
  dim(...args: []): number {
    expectNone('dim', args);
    return this.sizes.length;
  }

  /** Number of elements, as {@link size} (PyTorch's `numel`). */
  numel(...args: []): number {
    expectNone('numel', args);
    return this.#size;
  }

  /** @throws FreedError when its memory was given back @internal */
  checkAlive(): void {
    if (this.block.freed) this.#throwFreed();
  }

  #throwFreed(): never {
    runtime(); // without one, that is what is wrong
    throw new FreedError(
      `${this.block.maker}: expected a living tensor, got one of shape ${formatShape(this.sizes)}, made by ${this.block.maker}, whose memory was given back ` +
        '(its scope or loop turn ended, or dispose() was called); keep() it inside the scope, or copy it out with .data or .item()',
    );
  }

  /** Whether elements lie one behind the other in row-major order. */
  isContiguous(...args: []): boolean {
    expectNone('isContiguous', args);
    if (this.#contiguous === undefined) {
      let contiguous = true;
      for (let d = this.ndim - 1, stride = 1; d >= 0 && contiguous; d--) {
        const size = this.sizes[d] as number;
        if (size !== 1) contiguous = this.steps[d] === stride;
        stride *= size;
      }
      this.#contiguous = contiguous || this.size === 0;
    }
    return this.#contiguous;
  }

  /** Whether this is a leaf: made by the user, not by a recorded op. */
  get isLeaf(): boolean {
    return !this.requiresGrad || this.node === null;
  }

  /** Whether gradients flow to it. To set it is to call {@link requiresGrad_}. */
  get requiresGrad(): boolean {
    const { source } = this;
    if (source !== null && source.base.edition !== this.edition) views.renew(this);
    return this.#requiresGrad;
  }

  /** Gives it the history of a noted op. @internal */
  madeBy(node: GradNode, slot: number): void {
    this.#requiresGrad = true;
    this.node = node;
    this.slot = slot;
  }

  /**
   * Is called before it gets another history.
   * @param written by a noted write, not by one to its base
   * @internal
   */
  leaveHistory(written: boolean): void {
    gradients.watch?.freeze(this, this.#requiresGrad, written);
  }

  /** Sets requiresGrad without checks. @internal */
  takeRequiresGrad(on: boolean): void {
    gradients.watch?.freeze(this, this.#requiresGrad);
    this.#requiresGrad = on;
  }

  /** Turns gradients on or off, as {@link requiresGrad_} does. */
  set requiresGrad(on: boolean) {
    if (typeof on !== 'boolean')
      throw new ArgumentError(`requiresGrad: expected true or false, got ${describe(on)}; assign one of them`);
    if (on && this.#dtype !== 'f32')
      throw new DtypeError(`requiresGrad: expected f32, got ${this.#dtype}; only f32 tensors have gradients`);
    if (!on && !this.isLeaf)
      throw new ArgumentError(
        'requiresGrad: expected a leaf, got the result of a recorded op; use detach() for a copy without gradient',
      );
    gradients.watch?.freeze(this, this.#requiresGrad);
    this.#requiresGrad = on;
  }

  /**
   * Turns gradients on or off for this leaf (PyTorch's `requires_grad_`). Returns itself.
   * @throws DtypeError unless f32, ArgumentError for off where it is no leaf
   */
  requiresGrad_(...args: Arguments<[], [requiresGrad: boolean], RequiresGradOptions>): this {
    const [on] = takes.requiresGrad_.parse(args) as [boolean];
    try {
      this.requiresGrad = on;
    } catch (error) {
      throw named(error, 'requiresGrad_');
    }
    return this;
  }

  /** Whether `backward()` keeps the gradient here although this is no leaf; see {@link retainGrad}. */
  get retainsGrad(): boolean {
    return this.#retainsGrad;
  }

  /**
   * Makes `backward()` keep the gradient here, though this is no leaf (PyTorch's `retain_grad`). Returns itself.
   * @throws GradError where no gradient flows
   */
  retainGrad(...args: []): this {
    expectNone('retainGrad', args);
    if (!this.requiresGrad)
      throw new GradError(
        'retainGrad: expected a tensor that requires a gradient, got one that does not; call requiresGrad_() on a leaf that it is computed from',
      );
    this.#retainsGrad = !this.isLeaf;
    return this;
  }

  /** The same memory without its history: no gradient flows through it. */
  detach(...args: []): Tensor {
    expectNone('detach', args);
    return this.alias(this.sizes, this.steps, this.offset);
  }

  /** Whether it is a {@link SparseTensor}, which holds a few rows alone. */
  get isSparse(): boolean {
    return false;
  }

  /** @param _optimizer that wants it dense @throws ArgumentError where it is sparse @internal */
  expectDense(_op: string, _optimizer?: string): void {}

  /** A typed-array copy of the elements in row-major order. @throws FreedError */
  get data(): TypedArray {
    return host.download(this, 'data');
  }

  /** The number in a tensor of one element. @throws ShapeError for any other */
  item(...args: []): number {
    expectNone('item', args);
    this.checkAlive();
    if (this.size !== 1)
      throw new ShapeError(`item: expected one element, got shape ${formatShape(this.sizes)}; use toArray() or data`);
    return host.download(this, 'item')[0] as number;
  }

  /** Nested arrays of the elements; a number for shape `[]`. */
  toArray(...args: []): NestedArray {
    expectNone('toArray', args);
    checkListed('toArray', this.sizes);
    const { data } = this;
    return nested(this.sizes, (i) => data[i] as number) as NestedArray;
  }

  /**
   * Lets the tensor, and its gradient, outlive the scopes around it, until {@link dispose}. Returns itself.
   * @throws FreedError
   */
  keep(...args: []): this {
    expectNone('keep', args);
    this.checkAlive();
    for (let x: Tensor | null = this; x && !x.block.freed; x = x.#grad) runtime().arena.keep(x.block);
    return this;
  }

  /**
   * Gives the memory back, which it shares with its views. Using them afterwards throws FreedError; a second call does
   * nothing.
   */
  dispose(...args: []): void {
    expectNone('dispose', args);
    this.block.free();
    if (this.#grad) this.clearGrad();
  }

  /** {@link dispose}, called at the end of a block with `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /**
   * Its numbers as PyTorch prints them, `tensor([[1, 2], [3, 4]], { dtype: 'i32' })`; of more than 1000, the first and
   * last three of each dim.
   */
  toString(): string {
    return textOf<Tensor>(this, (part) => host.download(part, 'toString'));
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }

  /** For JSON.stringify: dtype, shape and values; of more than 1000 elements only their text, which is for people. */
  toJSON(): TensorJson {
    return jsonOf(this);
  }

  /**
   * Where JavaScript needs a number, as in `+loss`, `loss > 1` or `total += loss`: that of one element. Where it needs
   * text, as in `${loss}`: the number of a tensor without dims, else {@link toString}.
   * @throws ShapeError for a number of several elements or none
   */
  [Symbol.toPrimitive](hint: 'number' | 'string' | 'default'): number | string {
    return numberOf(this, hint);
  }
}

kinds.Tensor = [(x) => x instanceof Tensor, 'a tensor', 'tensors'];
kinds.dtype = [(x) => rowOf(dtypes, x) !== undefined, orList(Object.keys(dtypes).map(describe))];
