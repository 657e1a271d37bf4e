// A function of samples as one of batches.
import { ops, withoutTape } from '../autograd.ts';
import { stack } from '../functional/shape.ts';
import { isPlain, kinds } from '../kinds.ts';
import { ArgumentError, describe, expectSynchronous } from '../memory/errors.ts';
import { defaultGenerator } from '../random.ts';
import { type Callable, taking } from '../signature.ts';
import { Tensor } from '../tensor.ts';

/**
 * The dim of the batch, null where there is none; one for all, or a list of those of the arguments or results, nested
 * as they are.
 */
export type BatchDims = number | null | readonly BatchDims[] | { readonly [key: string]: BatchDims };

/** Options of {@link vmap}. */
export interface VmapOptions {
  /** Where the batch is in the arguments. @defaultValue 0 */
  inDims?: BatchDims;
  /** Where it is to be in the results. @defaultValue 0 */
  outDims?: BatchDims;
  /** What random ops do: throw, draw for each sample, or draw the same for all. @defaultValue 'error' */
  randomness?: 'error' | 'different' | 'same';
}

/** @param above what x stands in: a list that holds itself is none of dims */
const isDims = (x: unknown, above: readonly unknown[] = []): boolean => {
  if (x === null || Number.isSafeInteger(x)) return true;
  const parts = Array.isArray(x) ? x : isPlain(x) ? Object.values(x) : null;
  return parts !== null && !above.includes(x) && parts.every((part) => isDims(part, [...above, x]));
};
kinds.dims = [(x) => !isPlain(x) && isDims(x), 'a dim, null, or a list of them'];

/** The entries of a list or an object; null of anything else. */
const entriesOf = (x: unknown): [string, unknown][] | null =>
  Array.isArray(x) || isPlain(x) ? Object.entries(x) : null;

/** `dims` for the part `key` of something nested. */
const within = (dims: BatchDims, key: string): BatchDims =>
  dims === null || typeof dims === 'number' ? dims : ((dims as Record<string, BatchDims>)[key] ?? null);

/** The value, with what `visit` makes in the place of tensors. */
function mapped(x: unknown, dims: BatchDims, visit: (x: Tensor, dim: number) => unknown): unknown {
  if (x instanceof Tensor) return typeof dims === 'number' ? visit(x, dims) : x;
  const entries = entriesOf(x);
  if (!entries) return x;
  const made = entries.map(([key, item]) => [key, mapped(item, within(dims, key), visit)] as const);
  return Array.isArray(x) ? made.map(([, item]) => item) : Object.fromEntries(made);
}

/** How many samples there are. @throws ArgumentError */
function countOf(args: readonly unknown[], dims: BatchDims): number {
  const counts = new Set<number>();
  mapped(args, dims, (x, dim) => {
    const count = x.sizes[dim < 0 ? dim + x.ndim : dim];
    if (count === undefined)
      throw new ArgumentError(
        `vmap: expected a tensor with dim ${dim}, got one of ${x.ndim} dims; null is for no batch`,
      );
    counts.add(count);
    return x;
  });
  const [count, ...others] = counts;
  if (!count || others.length > 0)
    throw new ArgumentError(
      `vmap: expected tensors with one number of samples, at least 1, got ${[...counts].join(' and ') || 'no tensor with a dim for them'}`,
    );
  return count;
}

/** The results of all samples as one. */
function joined(results: readonly unknown[], dims: BatchDims): unknown {
  const [first] = results;
  if (first instanceof Tensor) {
    if (dims !== null && typeof dims !== 'number')
      throw new ArgumentError(`vmap: expected outDims as the results are nested, got ${describe(dims)} for a tensor`);
    return dims === null ? first : stack(results as Tensor[], dims);
  }
  const entries = entriesOf(first);
  if (!entries)
    throw new ArgumentError(
      `vmap: expected func to give tensors, or lists and objects of them, got ${describe(first)}`,
    );
  const made = entries.map(([key]) => {
    const parts = results.map((result) => (result as Record<string, unknown>)[key]);
    return [key, joined(parts, within(dims, key))] as const;
  });
  return Array.isArray(first) ? made.map(([, item]) => item) : Object.fromEntries(made);
}

/** Calls `fn` for each of `count` samples, with the generator as `randomness` says. */
function each(count: number, randomness: string, fn: (i: number) => unknown): unknown[] {
  const generator = defaultGenerator();
  const start = randomness === 'same' ? withoutTape(() => ops.contiguous({ x: generator })) : null;
  try {
    return Array.from({ length: count }, (_, i) => {
      if (start && i > 0) withoutTape(() => ops.copy({ y: generator, x: start }));
      const { version } = generator.block;
      const result = fn(i);
      expectSynchronous('vmap', result);
      if (randomness === 'error' && generator.block.version !== version)
        throw new ArgumentError(
          "vmap: expected a function without random numbers, got one that draws some; pass { randomness: 'different' } or 'same'",
        );
      return result;
    });
  } finally {
    start?.dispose();
  }
}

/**
 * The function that calls `func` with each sample of its arguments, and puts what that gives side by side (PyTorch's
 * `vmap`): so `func` is written for one sample. It may take gradients of its own, such as those of one sample. Samples
 * are computed one after the other, as views: what `func` does to each is done as often as there are samples, in
 * compiled functions too.
 * @example
 * ```ts
 * const w = tensor([1, 2], { requiresGrad: true });
 * const loss = (x: Tensor, y: Tensor) => x.mul(w).sum().sub(y).square();
 * const perSample = autograd.vmap((x: Tensor, y: Tensor) => grad(loss(x, y), [w])[0] as Tensor);
 * console.log(perSample(ones([3, 2]), tensor([1, 2, 3])).toArray()); // [[4, 4], [2, 2], [0, 0]]
 * ```
 */
export const vmap: <A extends unknown[], Y>(
  ...args: Parameters<
    Callable<
      [func: (...args: A) => Y],
      [inDims: BatchDims, outDims: BatchDims, randomness: 'error' | 'different' | 'same'],
      VmapOptions,
      void
    >
  >
) => (...args: A) => Y = taking(
  "vmap(func: function, inDims: dims = 0, outDims: dims = 0, randomness: 'error'|'different'|'same' = 'error')",
  (fn: (...args: unknown[]) => unknown, inDims: BatchDims, outDims: BatchDims, randomness: string) =>
    ((...args: unknown[]) => {
      if (Array.isArray(inDims) && inDims.length !== args.length)
        throw new ArgumentError(`vmap: expected inDims for ${args.length} arguments, got ${inDims.length}`);
      const count = countOf(args, inDims);
      const results = each(count, randomness, (i) =>
        fn(...(mapped(args, inDims, (x, dim) => x.select(dim, i)) as unknown[])),
      );
      return joined(results, outDims);
    }) as never,
);
