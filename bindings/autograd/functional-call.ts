// A module with other tensors in the place of its own.
import { tracing } from '../execute.ts';
import { ArgumentError, formatShape } from '../memory/errors.ts';
import type { Forward } from '../nn/hooks.ts';
import type { Module } from '../nn/module.ts';
import { ITEMS, lookUp, type Place } from '../nn/names.ts';
import { below, inFront } from '../nn/tree.ts';
import { type Callable, taking } from '../signature.ts';
import { Tensor } from '../tensor.ts';

/** Options of {@link functionalCall}. */
export interface FunctionalCallOptions {
  /** The argument of forward, or the list of them; null: none. @defaultValue null */
  args?: unknown;
  /** Whether what stands in several places is replaced in all of them. @defaultValue true */
  tieWeights?: boolean;
  /** Whether all parameters and buffers have to be given. @defaultValue false */
  strict?: boolean;
}
type Given = Readonly<Record<string, Tensor>>;
type Callee = { forward(...args: unknown[]): unknown };

/** Puts `value` where `place` of `module` is. */
function put(module: Module, { field }: Place, value: Tensor): void {
  let holder: unknown = module;
  // What a dictionary holds is no field of it.
  const items = module[ITEMS]();
  if (items instanceof Map && items.has(field)) holder = items;
  // Items of containers have the name of their field in front; names with dots are refused.
  const keys = field.split('.');
  for (const key of keys.slice(0, -1))
    holder = holder instanceof Map ? holder.get(key) : (holder as Record<string, unknown>)[key];
  const last = keys.at(-1) as string;
  if (holder instanceof Map) holder.set(last, value);
  else if (typeof holder === 'object' && holder !== null && last in holder) Reflect.set(holder, last, value);
  else throw new ArgumentError(`functionalCall: expected tensors in fields, arrays, objects and Maps, got ${field}`);
}

/** What is replaced: where it stands, and by what. */
function replaced(module: Module, given: Given, tied: boolean, strict: boolean): [Module, Place, Tensor][] {
  const own = [
    ...module.namedParameters({ removeDuplicate: false }),
    ...module.namedBuffers({ removeDuplicate: false }),
  ];
  const names = new Map(own);
  const wanted = new Map<string, Tensor>();
  const byTensor = new Map<Tensor, Tensor>();
  for (const [name, x] of Object.entries(given)) {
    const before = lookUp(own, name);
    if (!(x instanceof Tensor) || !before)
      throw new ArgumentError(
        `functionalCall: expected tensors by the names of parameters and buffers, got '${name}'; namedParameters() lists them`,
      );
    if (x.dtype !== before.dtype || formatShape(x.sizes) !== formatShape(before.sizes))
      throw new ArgumentError(
        `functionalCall: expected ${before.dtype} of shape ${formatShape(before.sizes)} as '${name}', got ${x.dtype} of ${formatShape(x.sizes)}`,
      );
    for (const [key, value] of own) if (value === before && lookUp([[key, value]], name)) wanted.set(key, x);
    if (tied) byTensor.set(before, x);
  }
  const missing = [...names].find(([name, x]) => !wanted.has(name) && !byTensor.has(x));
  if (strict && missing)
    throw new ArgumentError(`functionalCall: expected all tensors of the module, got none for '${missing[0]}'`);
  return below(module, false).flatMap(({ path, module: owner, places }) =>
    places.flatMap((place): [Module, Place, Tensor][] => {
      const x = wanted.get(inFront(path, place.name)) ?? byTensor.get(place.value as Tensor);
      return x && place.value instanceof Tensor ? [[owner, place, x]] : [];
    }),
  );
}

/**
 * Calls `module.forward` with other tensors in the place of its parameters and buffers, which get the gradients
 * (PyTorch's `func.functional_call`): for gradients of one sample, of weights that were computed, or by another copy.
 * @param parameterAndBufferDicts tensors by the names of namedParameters() and namedBuffers(), or a list of such
 *   objects
 * @param args the argument of forward, or the list of them; null: none
 * @returns what forward gives
 * @throws ArgumentError for names that the module has not, and tensors of another shape
 * @example
 * ```ts
 * const layer = new nn.Linear(2, 1);
 * const weights = { weight: ones([1, 2]), bias: zeros([1]) };
 * console.log(autograd.functionalCall(layer, weights, tensor([[3, 4]])).toArray()); // [[7]]
 * ```
 */
export const functionalCall: <M extends Module>(
  ...args: Parameters<
    Callable<
      [module: M, parameterAndBufferDicts: Given | readonly Given[]],
      [args: unknown, kwargs: null],
      FunctionalCallOptions,
      void,
      ['module', 'parameterAndBufferDicts']
    >
  >
) => ReturnType<Forward<M>> = taking(
  'functionalCall(module: Module, parameterAndBufferDicts: object|object[], args: any = null, -kwargs: null = null, *, tieWeights: bool = true, strict: bool = false)',
  (module: Module, given: Given | readonly Given[], args: unknown, _: null, tied: boolean, strict: boolean) => {
    const dicts = (Array.isArray(given) ? given : [given]) as Given[];
    // What it is as a whole counts for programs, not what stands there meanwhile.
    for (const each of module.modules()) tracing()?.dependOn(each);
    const places = replaced(module, Object.assign({}, ...dicts), tied, strict);
    try {
      for (const [owner, place, x] of places) put(owner, place, x);
      return (module as unknown as Callee).forward(
        ...((Array.isArray(args) ? args : args === null ? [] : [args]) as never[]),
      ) as never;
    } finally {
      for (const [owner, place] of places) put(owner, place, place.value as Tensor);
    }
  },
);
