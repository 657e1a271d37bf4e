// Lifetimes: what is made inside a scope is freed at its end.

import { runtime } from './engine/engine.ts';
import { isPlain } from './kinds.ts';
import { expectSynchronous } from './memory/errors.ts';
import { signature } from './signature.ts';
import { Tensor } from './tensor.ts';

/** Calls `visit` for every tensor in a tensor, or in an array, Map, Set or plain object of such values. */
function forEachTensor(value: unknown, visit: (x: Tensor) => void): void {
  if (value instanceof Tensor) visit(value);
  else if (typeof value === 'object' && value !== null) forEachInside(value, visit);
}

function forEachInside(value: object, visit: (x: Tensor) => void): void {
  // Values may hold themselves. Most hold tensors only, and need no set.
  let found: Set<object> | null = null;
  const look = (inside: object): void => {
    for (const item of insideOf(inside)) {
      if (item instanceof Tensor) visit(item);
      else if (typeof item === 'object' && item !== null) found = (found ?? new Set([value])).add(item);
    }
  };
  look(value);
  for (const item of found ?? []) if (item !== value) look(item);
}

function insideOf(value: object): Iterable<unknown> {
  if (Array.isArray(value)) return value;
  if (value instanceof Map || value instanceof Set) return value.values();
  return isPlain(value) ? Object.values(value) : [];
}

// Not callable(): what `fn` throws names its own calls.
const scopeTakes = signature('scope(fn: function)');

/**
 * Calls `fn` and frees every tensor made inside, but for those in its result (a tensor, or an array, Map, Set or plain
 * object of them), which pass to the scope around with their gradients, and those that were kept with keep().
 * @throws ArgumentError when `fn` is asynchronous: other code would run inside the scope
 * @example
 * ```ts
 * const norm = scope(() => {
 *   const x = randn([1000, 1000]);
 *   return x.matmul(x).norm(); // x and the product are freed here
 * });
 * ```
 */
export function scope<T>(...args: [fn: () => T]): T {
  const fn = scopeTakes.one(args) as () => T;
  const { arena } = runtime();
  const inner = arena.open();
  try {
    const result = fn();
    expectSynchronous('scope', result);
    forEachTensor(result, (x) => {
      for (let made: Tensor | null = x; made && made.block.scope === inner; made = made.grad)
        arena.lift(made.block, inner);
    });
    return result;
  } finally {
    arena.close(inner);
  }
}

/**
 * Yields each value of `source` in a turn of its own: tensors made in one turn of a `for … of` loop over it are freed
 * before the next turn, and after the last one, also on break or throw. Of a turn that awaits, its value and what was
 * computed from it are freed then; the rest when it is garbage.
 */
export function* scoped<T>(source: Iterable<T>): Generator<T, void, undefined> {
  const { arena } = runtime();
  const iterator = source[Symbol.iterator]();
  let turn = arena.open(true);
  try {
    for (let next = iterator.next(); !next.done; next = iterator.next()) {
      forEachTensor(next.value, ({ block }) => {
        if (block.scope === turn) block.turn = turn;
      });
      yield next.value;
      arena.close(turn);
      turn = arena.open(true);
    }
  } finally {
    arena.close(turn);
    iterator.return?.();
  }
}
