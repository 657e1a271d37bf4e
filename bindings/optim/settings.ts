// What optimizers are given: parameters, groups with settings, and saved states. All of it is checked before any of it
// is used, at every call: users may change groups between steps.
import { ArgumentError, DtypeError, formatShape, ShapeError } from '../memory/errors.ts';
import type { SavedTensor } from '../nn/state.ts';
import { sameShape } from '../ops/shapes.ts';
import { numelOf, Tensor } from '../tensor.ts';

/** @throws ArgumentError unless `value` is a finite number from `low` to, without, `high` */
export function expectRange(op: string, name: string, value: number, low = 0, high = Number.POSITIVE_INFINITY): void {
  if (!(typeof value === 'number' && value >= low && value < high))
    throw new ArgumentError(
      `${op}: expected ${name} >= ${low}${high < Number.POSITIVE_INFINITY ? ` and < ${high}` : ''}, got ${String(value)}`,
    );
}

/** What `x` is, for messages. */
export const kindOf = (x: unknown): string => (x === null ? 'null' : Array.isArray(x) ? 'an array' : `a ${typeof x}`);

/** @throws ArgumentError unless `x` is an object, and no array or tensor */
export function expectObject(op: string, what: string, x: unknown): asserts x is Readonly<Record<string, unknown>> {
  if (typeof x !== 'object' || x === null || Array.isArray(x) || x instanceof Tensor)
    throw new ArgumentError(`${op}: expected ${what} to be an object, got ${kindOf(x)}`);
}

/** The elements of a list. @throws ArgumentError for what is none */
export function listOf(op: string, params: unknown): unknown[] {
  if (typeof params !== 'object' || params === null || params instanceof Tensor || !(Symbol.iterator in params))
    throw new ArgumentError(
      `${op}: expected a list of parameters or of groups, got ${kindOf(params)}; pass model.parameters()`,
    );
  return [...(params as Iterable<unknown>)];
}

/** @throws ArgumentError unless each is a living, contiguous f32 leaf and there once; there must be one at least */
export function expectParameters(op: string, params: readonly unknown[]): asserts params is readonly Tensor[] {
  if (params.length === 0) throw new ArgumentError(`${op}: expected at least one parameter, got none`);
  for (const p of params) {
    if (!(p instanceof Tensor))
      throw new ArgumentError(`${op}: expected tensors as parameters, got ${kindOf(p)}; pass model.parameters()`);
    p.checkAlive();
    if (!p.isLeaf || p.dtype !== 'f32' || !p.isContiguous())
      throw new ArgumentError(`${op}: expected contiguous f32 leaves as parameters, got ${String(p)}`);
  }
  if (new Set(params).size !== params.length)
    throw new ArgumentError(`${op}: expected each parameter once, got one of them twice`);
}

/**
 * @throws ArgumentError unless the settings are those that `defaults` has, of the same kinds: numbers, switches, lists
 *   of as many numbers
 */
export function expectSettings(op: string, group: object, defaults: object): void {
  for (const name in group)
    if (name !== 'params' && !Object.hasOwn(defaults, name))
      throw new ArgumentError(`${op}: expected options ${Object.keys(defaults).join(', ')}, got '${name}'`);
  const settings = group as Readonly<Record<string, unknown>>;
  for (const [name, standard] of Object.entries(defaults)) {
    const value = settings[name];
    const kind = Array.isArray(standard) ? `a list of ${standard.length} numbers` : `a ${typeof standard}`;
    if (!sameKind(value, standard))
      throw new ArgumentError(`${op}: expected ${name} to be ${kind}, got ${describe(value)}`);
  }
}

const describe = (x: unknown): string =>
  typeof x === 'number' || typeof x === 'boolean' || x === undefined ? String(x) : kindOf(x);

const isNumber = (x: unknown): boolean => typeof x === 'number' && !Number.isNaN(x);

function sameKind(value: unknown, standard: unknown): boolean {
  if (Array.isArray(standard))
    return Array.isArray(value) && value.length === standard.length && standard.every((_, i) => isNumber(value[i]));
  return typeof value === typeof standard && !Number.isNaN(value);
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
    throw new ArgumentError(`${op}: expected a typed array of numbers as the data of ${what}, got ${kindOf(data)}`);
  if (data.length !== numelOf(shape))
    throw new ShapeError(`${op}: expected ${numelOf(shape)} numbers for ${what}, got ${data.length}`);
  if (!anyDtype && !(data instanceof Float32Array || data instanceof Float64Array))
    throw new DtypeError(`${op}: expected ${what} in f32, got a ${data.constructor.name}`);
  return data;
}
