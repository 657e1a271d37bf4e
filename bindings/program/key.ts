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

/** A tensor that stood nowhere before, and its gradient where it has one. */
class TensorPattern implements Pattern {
  readonly #layout: Layout;
  readonly #gradient: Pattern | null;

  /** @param tensors those before it; gets it and its gradient */
  constructor(x: Tensor, tensors: Tensor[]) {
    this.#layout = new Layout(x);
    tensors.push(x);
    this.#gradient = x.grad && patternOfTensor(x.grad, tensors);
  }

  matches(x: unknown, tensors: Tensor[]): boolean {
    if (!(x instanceof Tensor) || !this.#layout.fits(x) || tensors.includes(x)) return false;
    tensors.push(x);
    const { grad } = x;
    return grad && this.#gradient ? this.#gradient.matches(grad, tensors) : grad === this.#gradient;
  }
}

/** A tensor that stood before: gradients of both places come together in it, and what is written to one is in both. */
class SamePattern implements Pattern {
  readonly #at: number;

  constructor(at: number) {
    this.#at = at;
  }

  matches(x: unknown, tensors: Tensor[]): boolean {
    return x === tensors[this.#at];
  }
}

function patternOfTensor(x: Tensor, tensors: Tensor[]): Pattern {
  const at = tensors.indexOf(x);
  return at < 0 ? new TensorPattern(x, tensors) : new SamePattern(at);
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

/** A Map or a Set: what it holds, in order. */
class CollectionPattern implements Pattern {
  readonly #keys: readonly unknown[] | null;
  readonly #items: Pattern;

  /** @param keys of a Map; null: a Set */
  constructor(keys: readonly unknown[] | null, items: Pattern) {
    this.#keys = keys;
    this.#items = items;
  }

  matches(value: unknown, tensors: Tensor[]): boolean {
    const keys = this.#keys;
    if (!(value instanceof (keys ? Map : Set))) return false;
    if (keys && (keys.length !== value.size || [...value.keys()].some((key, i) => !Object.is(key, keys[i]))))
      return false;
    return this.#items.matches([...value.values()], tensors);
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

/** @param tensors gets those in `value` */
function patternOf(value: unknown, tensors: Tensor[], depth = 0): Pattern {
  checkDepth(depth, 'arguments');
  const listOf = (items: Iterable<unknown>): Pattern =>
    new ListPattern(Array.from(items, (item) => patternOf(item, tensors, depth + 1)));
  if (value instanceof Tensor) return patternOfTensor(value, tensors);
  if (Array.isArray(value)) return listOf(value);
  if (value instanceof Map) return new CollectionPattern([...value.keys()], listOf(value.values()));
  if (value instanceof Set) return new CollectionPattern(null, listOf(value));
  if (isPlain(value)) {
    const keys = Object.keys(value);
    return new ObjectPattern(
      keys,
      keys.map((key) => patternOf(value[key], tensors, depth + 1)),
    );
  }
  return isTypedArray(value) ? new NumbersPattern(value) : new ValuePattern(value);
}

/**
 * The pattern of the arguments of a call.
 * @param tensors gets those in them, as the pattern finds them
 * @throws ArgumentError for arguments that hold themselves
 */
export const keyOf = (args: readonly unknown[], tensors: Tensor[]): Pattern => patternOf(args, tensors);

/** Copies lists, plain objects, Maps and Sets, with others in the place of their tensors. */
export function mapTensors(value: unknown, map: (x: Tensor) => unknown): unknown {
  if (value instanceof Tensor) return map(value);
  if (Array.isArray(value)) return Array.from(value, (item) => mapTensors(item, map));
  if (value instanceof Map) return new Map(Array.from(value, ([key, item]) => [key, mapTensors(item, map)]));
  if (value instanceof Set) return new Set(Array.from(value, (item) => mapTensors(item, map)));
  if (isPlain(value))
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mapTensors(item, map)]));
  return value;
}

/** All that lists, plain objects, Maps and Sets hold, and their sizes and keys: two of equal parts hold the same. */
export function partsOf(value: unknown, parts: unknown[] = []): unknown[] {
  if (value instanceof Tensor) parts.push(value);
  else if (Array.isArray(value) || value instanceof Set) {
    parts.push([...value].length);
    for (const item of value) partsOf(item, parts);
  } else if (value instanceof Map || isPlain(value)) {
    const entries = value instanceof Map ? [...value] : Object.entries(value);
    parts.push(entries.length);
    for (const [key, item] of entries) {
      parts.push(key);
      partsOf(item, parts);
    }
  } else parts.push(value);
  return parts;
}
