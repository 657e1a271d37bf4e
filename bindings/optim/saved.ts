// What loadStateDict() of an optimizer is given: its parts, checked to be of the shapes and kinds that it knows.
import { ArgumentError, DtypeError, describe, formatShape, ShapeError } from '../memory/errors.ts';
import type { SavedTensor } from '../nn/state.ts';
import { sameShape } from '../ops/shapes.ts';
import { numelOf } from '../tensor.ts';
import { expectObject } from './settings.ts';

/** The parts of a saved state. */
interface Saved {
  /** Of each group, what it says. */
  readonly groups: readonly object[];
  /** Of each group, the numbers of its parameters. */
  readonly numbers: readonly (readonly number[])[];
  /** The saved tensors of a parameter by its number. */
  readonly entries: ReadonlyMap<number, Readonly<Record<string, unknown>>>;
}

/** @throws ArgumentError where `saved` is no state, or that of other groups than `own` */
export function readSaved(op: string, saved: unknown, own: readonly { readonly params: readonly unknown[] }[]): Saved {
  expectObject(op, 'what stateDict() gave', saved);
  const { state, paramGroups: groups } = saved;
  expectObject(op, 'the state', state);
  if (!Array.isArray(groups))
    throw new ArgumentError(`${op}: expected paramGroups to be a list of groups, got ${describe(groups)}`);
  const numbers = groups.map((group: unknown) => {
    expectObject(op, 'a group of parameters', group);
    const { params } = group;
    if (!Array.isArray(params) || !params.every((n) => Number.isSafeInteger(n) && n >= 0))
      throw new ArgumentError(`${op}: expected the params of a group to be a list of numbers, got ${describe(params)}`);
    return params as readonly number[];
  });
  const sizes = (lists: readonly (readonly unknown[])[]): string => lists.map(({ length }) => length).join(', ');
  const expected = sizes(own.map(({ params }) => params));
  if (sizes(numbers) !== expected)
    throw new ArgumentError(`${op}: expected groups of ${expected} parameters, got ${sizes(numbers)}`);
  const all = numbers.flat();
  const entries = new Map<number, Readonly<Record<string, unknown>>>();
  for (const [key, entry] of Object.entries(state)) {
    expectObject(op, `the state of parameter ${key}`, entry);
    entries.set(Number(key), entry);
  }
  const strange = [...entries.keys()].find((n) => !all.includes(n));
  if (strange !== undefined || new Set(all).size !== all.length)
    throw new ArgumentError(`${op}: expected each parameter once, and states of those only, got ${strange ?? all}`);
  return { groups, numbers, entries };
}

/** The numbers of a saved tensor. @throws ShapeError, DtypeError, ArgumentError unless it is f32 of `shape` */
export function savedNumbers(
  op: string,
  what: string,
  saved: unknown,
  shape: readonly number[],
  anyDtype: boolean,
): ArrayLike<number> {
  const { shape: own, data } = (saved ?? {}) as Partial<SavedTensor>;
  if (!Array.isArray(own) || !sameShape(own, shape))
    throw new ShapeError(
      `${op}: expected ${what} of shape ${formatShape(shape)}, got ${Array.isArray(own) ? formatShape(own) : 'none'}`,
    );
  if (!ArrayBuffer.isView(data) || !('length' in data) || typeof (data[0] ?? 0) !== 'number')
    throw new ArgumentError(`${op}: expected a typed array of numbers as the data of ${what}, got ${describe(data)}`);
  if (data.length !== numelOf(shape))
    throw new ShapeError(`${op}: expected ${numelOf(shape)} numbers for ${what}, got ${data.length}`);
  if (!anyDtype && !(data instanceof Float32Array || data instanceof Float64Array))
    throw new DtypeError(`${op}: expected ${what} in f32, got a ${data.constructor.name}`);
  return data;
}
