// What tells calls of a compiled function apart: where tensors stand in the arguments, their shapes, dtypes and
// layouts, and all other values, each in its place.
import type { Dtype } from '../dtypes.ts';
import { isPlain } from '../kinds.ts';
import { ArgumentError } from '../memory/errors.ts';
import { sameShape } from '../ops/shapes.ts';
import { type Shape, Tensor, type TypedArray } from '../tensor.ts';

/** What a call has in one place. Two calls share a program if and only if they match in all. */
export interface Pattern {
  /** Whether `value` is the same but for the numbers in its tensors, which are put behind `tensors`. */
  matches(value: unknown, tensors: Tensor[]): boolean;
}

/** A tensor but for its numbers. */
class Layout {
  readonly #dtype: Dtype;
  readonly #shape: Shape;
  /** Null: contiguous. */
  readonly #strides: readonly number[] | null;
  readonly #requiresGrad: boolean;

  constructor(x: Tensor) {
    this.#dtype = x.dtype;
    this.#shape = x.sizes;
    this.#strides = x.isContiguous() ? null : x.steps;
    this.#requiresGrad = x.requiresGrad;
  }

  fits(x: Tensor): boolean {
    if (x.dtype !== this.#dtype || x.requiresGrad !== this.#requiresGrad || !sameShape(x.sizes, this.#shape))
      return false;
    return this.#strides ? sameShape(x.steps, this.#strides) : x.isContiguous();
  }
}

/** A tensor, and its gradient where it has one. */
class TensorPattern implements Pattern {
  readonly #layout: Layout;
  readonly #gradient: Layout | null;

  constructor(x: Tensor) {
    this.#layout = new Layout(x);
    this.#gradient = x.grad && new Layout(x.grad);
  }

  matches(x: unknown, tensors: Tensor[]): boolean {
    if (!(x instanceof Tensor) || !this.#layout.fits(x)) return false;
    tensors.push(x);
    const { grad } = x;
    if (!grad || !this.#gradient) return grad === this.#gradient;
    tensors.push(grad);
    return this.#gradient.fits(grad);
  }
}

class ListPattern implements Pattern {
  readonly #items: readonly Pattern[];

  constructor(items: readonly Pattern[]) {
    this.#items = items;
  }

  matches(value: unknown, tensors: Tensor[]): boolean {
    const items = this.#items;
    if (!Array.isArray(value) || value.length !== items.length) return false;
    for (let i = 0; i < items.length; i++) if (!(items[i] as Pattern).matches(value[i], tensors)) return false;
    return true;
  }
}

class ObjectPattern implements Pattern {
  readonly #keys: readonly string[];
  readonly #items: readonly Pattern[];

  constructor(keys: readonly string[], items: readonly Pattern[]) {
    this.#keys = keys;
    this.#items = items;
  }

  matches(value: unknown, tensors: Tensor[]): boolean {
    if (!isPlain(value)) return false;
    const keys = Object.keys(value);
    if (keys.length !== this.#keys.length) return false;
    for (let i = 0; i < keys.length; i++)
      if (keys[i] !== this.#keys[i] || !(this.#items[i] as Pattern).matches(value[keys[i] as string], tensors))
        return false;
    return true;
  }
}

const isTypedArray = (value: unknown): value is TypedArray => ArrayBuffer.isView(value) && !(value instanceof DataView);

/** A typed array counts by its numbers, which the function may turn into a tensor. */
class NumbersPattern implements Pattern {
  readonly #values: TypedArray;

  constructor(values: TypedArray) {
    this.#values = values.slice();
  }

  matches(value: unknown): boolean {
    const values = this.#values;
    if (!isTypedArray(value) || value.constructor !== values.constructor || value.length !== values.length)
      return false;
    for (let i = 0; i < values.length; i++) if (!Object.is(value[i], values[i])) return false;
    return true;
  }
}

/** Anything else: itself. */
class ValuePattern implements Pattern {
  readonly #value: unknown;

  constructor(value: unknown) {
    this.#value = value;
  }

  matches(value: unknown): boolean {
    return Object.is(value, this.#value);
  }
}

/** The deepest that arguments and results may be nested: lists that hold themselves have no end. */
const DEEPEST = 100;

/** @throws ArgumentError for what is nested too deeply */
export function checkDepth(depth: number, what: string): void {
  if (depth > DEEPEST)
    throw new ArgumentError(
      `compile: expected ${what} nested at most ${DEEPEST} deep, got deeper ones, or one that holds itself`,
    );
}

function patternOf(value: unknown, depth = 0): Pattern {
  checkDepth(depth, 'arguments');
  if (value instanceof Tensor) return new TensorPattern(value);
  if (Array.isArray(value)) return new ListPattern(Array.from(value, (item) => patternOf(item, depth + 1)));
  if (isPlain(value)) {
    const keys = Object.keys(value);
    return new ObjectPattern(
      keys,
      keys.map((key) => patternOf(value[key], depth + 1)),
    );
  }
  return isTypedArray(value) ? new NumbersPattern(value) : new ValuePattern(value);
}

/** The pattern of the arguments of a call. @throws ArgumentError for arguments that hold themselves */
export const keyOf = (args: readonly unknown[]): Pattern => patternOf(args);

/** Replaces the tensors in lists and plain objects. */
export function mapTensors(value: unknown, map: (x: Tensor) => unknown): unknown {
  if (value instanceof Tensor) return map(value);
  if (Array.isArray(value)) return Array.from(value, (item) => mapTensors(item, map));
  if (isPlain(value))
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mapTensors(item, map)]));
  return value;
}
