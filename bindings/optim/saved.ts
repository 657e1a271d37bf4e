// What loadStateDict() of an optimizer is given: its parts, checked to be of the shapes and kinds that it knows.
import { isPlain } from '../kinds.ts';
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

/** What groups of PyTorch's say of how steps are computed, which changes no number. */
const HOW = /^(foreach|fused|capturable|differentiable|paramNames)$/;
const camel = (name: string): string => name.replace(/_./g, (two) => (two[1] as string).toUpperCase());

/**
 * A group of PyTorch's state_dict() in our words, names and words in camelCase; AdamW is decoupled without saying so.
 */
function ourGroup(group: unknown, own: object = {}): unknown {
  if (!isPlain(group)) return group;
  const said = Object.entries(group).map(([name, x]) => [camel(name), typeof x === 'string' ? camel(x) : x] as const);
  const has = ([name, x]: readonly [string, unknown]): boolean =>
    name in own || !(HOW.test(name) || (name === 'decoupledWeightDecay' && x === true));
  return Object.fromEntries(said.filter(has));
}

/** The state of a parameter in PyTorch's state_dict() as ours: SGD and Muon count no steps there. */
function ourEntry(entry: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const kept = Object.entries(entry).filter(([, x]) => x !== null);
  if (Object.keys(entry).join() === 'momentum_buffer') kept.push(['step', 1]);
  return Object.fromEntries(
    kept.map(([name, x]) => [name, typeof x === 'number' ? { shape: [], data: Float64Array.of(x) } : x]),
  );
}

/** @throws ArgumentError where `saved` is no state, or that of other groups than `own` */
export function readSaved(op: string, saved: unknown, own: readonly { readonly params: readonly unknown[] }[]): Saved {
  expectObject(op, 'what stateDict() gave', saved);
  const {
    state,
    param_groups: theirs,
    paramGroups = Array.isArray(theirs) ? theirs.map((group, i) => ourGroup(group, own[i])) : theirs,
  } = saved;
  const groups: unknown = paramGroups;
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
    entries.set(Number(key), theirs ? ourEntry(entry) : entry);
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
