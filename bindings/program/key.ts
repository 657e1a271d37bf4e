// What tells calls of a compiled function apart.
import { sameShape } from '../ops/shapes.ts';
import { Tensor } from '../tensor.ts';

/**
 * What a call has to have in common with a traced one: where its tensors stand, their shapes, dtypes and layouts, and
 * all other values.
 */
export interface Key {
  readonly tensors: readonly Tensor[];
  readonly values: readonly unknown[];
}

export const isPlain = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype;

/** Stands for a tensor, a list or an object among the values of a key: nothing that a user passes is the same. */
const TENSOR = Symbol('tensor');
const LIST = Symbol('list');
const OBJECT = Symbol('object');

/** Replaces the tensors in arrays and plain objects; `other` sees everything else, also how it is nested. */
export function mapTensors(value: unknown, map: (x: Tensor) => unknown, other: (x: unknown) => void): unknown {
  if (value instanceof Tensor) {
    other(TENSOR);
    return map(value);
  }
  if (Array.isArray(value)) {
    other(LIST);
    other(value.length);
    return value.map((item) => mapTensors(item, map, other));
  }
  if (isPlain(value)) {
    other(OBJECT);
    other(Object.keys(value).join());
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mapTensors(item, map, other)]));
  }
  other(value);
  return value;
}

export function keyOf(args: readonly unknown[]): Key {
  const tensors: Tensor[] = [];
  const values: unknown[] = [];
  for (const arg of args)
    mapTensors(
      arg,
      (x) => tensors.push(x),
      (x) => values.push(x),
    );
  return { tensors, values };
}

const alike = (a: Tensor, b: Tensor): boolean =>
  a.dtype === b.dtype &&
  sameShape(a.shape, b.shape) &&
  ((a.isContiguous() && b.isContiguous()) || sameShape(a.strides, b.strides));

/** Whether two calls differ in nothing but the numbers in their tensors. */
export function sameKey(a: Key, b: Key): boolean {
  if (a.tensors.length !== b.tensors.length || a.values.length !== b.values.length) return false;
  for (let i = 0; i < a.tensors.length; i++) if (!alike(a.tensors[i] as Tensor, b.tensors[i] as Tensor)) return false;
  for (let i = 0; i < a.values.length; i++) if (!Object.is(a.values[i], b.values[i])) return false;
  return true;
}
