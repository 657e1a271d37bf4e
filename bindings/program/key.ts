// What tells calls of a compiled function apart: where tensors stand in the arguments, their shapes, dtypes and
// layouts, and all other values, each in its place.
import { isTypedArray } from '../dtypes.ts';
import { isPlain } from '../kinds.ts';
import { ArgumentError } from '../memory/errors.ts';
import { sameShape } from '../ops/shapes.ts';
import { Tensor } from '../tensor.ts';

/**
 * What a call has in one place: whether `value` is the same but for the numbers in its tensors, which are put behind
 * `tensors`. Two calls share a program if and only if they match in all.
 */
export type Pattern = (value: unknown, tensors: Tensor[]) => boolean;

/** A list, plain object, Map or Set. */
interface Container {
  readonly kind: 'list' | 'Set' | 'Map' | 'object';
  readonly keys: readonly unknown[];
  /** In the order of the keys. */
  readonly items: readonly unknown[];
  /** Another one like it. */
  of(items: readonly unknown[]): unknown;
}

const NO_KEYS: readonly unknown[] = [];

/** What a list, plain object, Map or Set holds; null for anything else. */
export function containerOf(value: unknown): Container | null {
  if (Array.isArray(value)) return { kind: 'list', keys: NO_KEYS, items: Array.from(value), of: (items) => items };
  if (value instanceof Set)
    return { kind: 'Set', keys: NO_KEYS, items: [...value], of: (items: readonly unknown[]) => new Set(items) };
  const isMap = value instanceof Map;
  if (!isMap && !isPlain(value)) return null;
  const entries: readonly [key: unknown, item: unknown][] = isMap ? [...value] : Object.entries(value as object);
  const of = (items: readonly unknown[]): unknown => {
    const pairs = entries.map(([key], i) => [key, items[i]] as const);
    return isMap ? new Map(pairs) : Object.fromEntries(pairs as [string, unknown][]);
  };
  const [keys, items] = [entries.map(([key]) => key), entries.map(([, item]) => item)];
  return { kind: isMap ? 'Map' : 'object', keys, items, of };
}

/** A tensor that stood nowhere before, but for its numbers, and its gradient where it has one. */
function patternOfNew(x: Tensor, tensors: Tensor[]): Pattern {
  const { dtype, sizes: shape, requiresGrad } = x;
  const strides = x.isContiguous() ? null : x.steps;
  tensors.push(x);
  const gradient = x.grad && patternOfTensor(x.grad, tensors);
  return (now, found) => {
    if (!(now instanceof Tensor) || now.dtype !== dtype || now.requiresGrad !== requiresGrad) return false;
    if (!sameShape(now.sizes, shape) || !(strides ? sameShape(now.steps, strides) : now.isContiguous())) return false;
    if (found.includes(now)) return false;
    found.push(now);
    const { grad } = now;
    return grad && gradient ? gradient(grad, found) : grad === gradient;
  };
}

/** Of one that stood before, which: gradients of both places come together in it, and what one writes is in both. */
function patternOfTensor(x: Tensor, tensors: Tensor[]): Pattern {
  const at = tensors.indexOf(x);
  return at < 0 ? patternOfNew(x, tensors) : (now, found) => now === found[at];
}

const patternOfItems =
  (items: readonly Pattern[]) =>
  (now: readonly unknown[], found: Tensor[]): boolean => {
    if (now.length !== items.length) return false;
    for (let i = 0; i < items.length; i++) if (!(items[i] as Pattern)(now[i], found)) return false;
    return true;
  };

const sameItems = (a: ArrayLike<unknown>, b: ArrayLike<unknown>): boolean => {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!Object.is(a[i], b[i])) return false;
  return true;
};

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
  if (value instanceof Tensor) return patternOfTensor(value, tensors);
  const container = containerOf(value);
  if (container) {
    const { kind, keys } = container;
    const items = patternOfItems(container.items.map((item) => patternOf(item, tensors, depth + 1)));
    // Arguments are lists, which no call has to take apart.
    if (kind === 'list') return (now, found) => Array.isArray(now) && items(now, found);
    return (now, found) => {
      const other = containerOf(now);
      return other?.kind === kind && sameItems(other.keys, keys) && items(other.items, found);
    };
  }
  if (!isTypedArray(value)) return (now) => Object.is(now, value);
  // It counts by its numbers, which the function may turn into a tensor.
  const values = value.slice();
  return (now) => isTypedArray(now) && now.constructor === values.constructor && sameItems(now, values);
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
  const container = containerOf(value);
  return container ? container.of(container.items.map((item) => mapTensors(item, map))) : value;
}

/** All that lists, plain objects, Maps and Sets hold, and their sizes and keys: two of equal parts hold the same. */
export function partsOf(value: unknown, parts: unknown[] = []): unknown[] {
  const container = containerOf(value);
  parts.push(container ? container.items.length : value);
  if (container) {
    for (const key of container.keys) parts.push(key);
    for (const item of container.items) partsOf(item, parts);
  }
  return parts;
}
