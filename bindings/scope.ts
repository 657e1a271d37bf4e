// Lifetimes: what is made inside a scope is freed at its end.

import { runtime } from './engine/engine.ts';
import { expectSynchronous } from './memory/errors.ts';
import { Tensor } from './tensor.ts';

/** Calls `visit` for every tensor in a tensor, or in an array or plain object of such values. */
function forEachTensor(value: unknown, visit: (x: Tensor) => void): void {
  if (value instanceof Tensor) visit(value);
  else if (Array.isArray(value)) for (const item of value) forEachTensor(item, visit);
  else if (value && Object.getPrototypeOf(value) === Object.prototype)
    for (const item of Object.values(value)) forEachTensor(item, visit);
}

/**
 * Calls `fn` and frees every tensor made inside, but for those in its result (a tensor, or an array or plain object of
 * them), which pass to the scope around, and those that were kept with keep().
 * @throws ArgumentError when `fn` is asynchronous: other code would run inside the scope
 * @example
 * ```ts
 * const norm = scope(() => {
 *   const x = randn([1000, 1000]);
 *   return x.matmul(x).norm(); // x and the product are freed here
 * });
 * ```
 */
export function scope<T>(fn: () => T): T {
  const { arena } = runtime();
  const inner = arena.open();
  try {
    const result = fn();
    expectSynchronous('scope', result);
    forEachTensor(result, (x) => {
      if (x.block.scope === inner) arena.adopt(x.block, inner.parent);
    });
    return result;
  } finally {
    arena.close(inner);
  }
}

/**
 * Yields each value of `source` inside a scope of its own: tensors made in one turn of a `for … of` loop over it are
 * freed before the next turn, and after the last one, also on break or throw.
 */
export function* scoped<T>(source: Iterable<T>): Generator<T, void, undefined> {
  const { arena } = runtime();
  const iterator = source[Symbol.iterator]();
  let turn = arena.open();
  try {
    for (let next = iterator.next(); !next.done; next = iterator.next()) {
      yield next.value;
      arena.close(turn);
      turn = arena.open();
    }
  } finally {
    arena.close(turn);
    iterator.return?.();
  }
}
