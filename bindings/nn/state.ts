// What a module's state is, and how saved numbers come into it: all of them or none.
import { checkValues } from '../dtypes.ts';
import { upload } from '../execute.ts';
import { ArgumentError, formatShape, ShapeError, typeName } from '../memory/errors.ts';
import { expectShape } from '../ops/shapes.ts';
import type { Tensor, TypedArray } from '../tensor.ts';
import { matchKeys } from './names.ts';

/** A tensor's numbers, as files give them. */
export interface SavedTensor {
  /** Sizes, outermost first. */
  readonly shape: readonly number[];
  /** The elements in row-major order. */
  readonly data: TypedArray;
}

/** What stateDict() gives and loadStateDict() takes: tensors, or their numbers, by PyTorch's keys. */
export type StateDict = Record<string, Tensor | SavedTensor>;

/** What {@link Module.loadStateDict} skipped. */
export interface LoadResult {
  /** Keys of the module that the saved state lacks. */
  missingKeys: string[];
  /** Keys of the saved state that the module lacks. */
  unexpectedKeys: string[];
}

const OP = 'loadStateDict';
/** How many keys an error lists. */
const SHOWN = 8;
export const list = (keys: readonly string[]): string =>
  keys.slice(0, SHOWN).join(', ') + (keys.length > SHOWN ? ` and ${keys.length - SHOWN} more` : '');

/** The numbers of `saved` for `x`. @throws ArgumentError, ShapeError, FreedError where they do not fit */
function numbersFor(key: string, x: Tensor, saved: unknown): TypedArray {
  const { shape, data } = (saved ?? {}) as Partial<SavedTensor>;
  if (!Array.isArray(shape) || !ArrayBuffer.isView(data) || !('length' in data) || typeof (data[0] ?? 0) !== 'number')
    throw new ArgumentError(
      `${OP}: expected a tensor, or { shape, data: typed array of numbers }, for ${key}, got ${typeof saved}`,
    );
  expectShape(OP, key, { sizes: shape }, x.sizes);
  if (data.length !== x.size) throw new ShapeError(`${OP}: expected ${x.size} numbers for ${key}, got ${data.length}`);
  checkValues(`${OP}: ${key}`, data, x.dtype);
  x.checkAlive();
  if (x.shape.some((size, d) => size > 1 && x.strides[d] === 0))
    throw new ArgumentError(
      `${OP}: expected ${key} to have a place for each element, got an expanded tensor of shape ${formatShape(x.shape)}; make it contiguous()`,
    );
  return data;
}

/** Checks that `state` fits the tensors `own`. @returns what copies it and cannot fail */
export function prepareLoad(
  own: Readonly<Record<string, Tensor>>,
  state: StateDict,
  strict: boolean,
): () => LoadResult {
  if (typeof state !== 'object' || state === null)
    throw new ArgumentError(`${OP}: expected an object of tensors by key, got ${typeName(state)}`);
  const matches = matchKeys(OP, Object.keys(own), Object.keys(state));
  const used = new Set(matches.values());
  const missingKeys = Object.keys(own).filter((key) => !matches.has(key));
  const unexpectedKeys = Object.keys(state).filter((key) => !used.has(key));
  if (strict && missingKeys.length + unexpectedKeys.length > 0)
    throw new ArgumentError(
      `${OP}: expected the keys of this module, got ${missingKeys.length ? `none for ${list(missingKeys)}` : ''}` +
        `${missingKeys.length && unexpectedKeys.length ? ' and ' : ''}${unexpectedKeys.length ? `also ${list(unexpectedKeys)}` : ''}; pass { strict: false } to skip them`,
    );
  const pairs = [...matches].map(([key, from]): [Tensor, TypedArray] => {
    const x = own[key] as Tensor;
    return [x, numbersFor(key, x, state[from])];
  });
  return () => {
    for (const [x, numbers] of pairs) upload(x, numbers);
    return { missingKeys, unexpectedKeys };
  };
}
