// What a batch is made of, and what of it a model gets.
import { isPlain } from '../kinds.ts';
import { ArgumentError, describe } from '../memory/errors.ts';
import { Tensor } from '../tensor.ts';

/** The arguments of a model, and what its output is compared to. */
export type Unpacked = readonly [inputs: readonly unknown[], target: unknown];

/** Of a list the last is the target, of `{ x, y }` y; a tensor alone has none. @throws ArgumentError for others */
export function unpackUsual(batch: unknown): Unpacked {
  if (batch instanceof Tensor) return [[batch], undefined];
  if (Array.isArray(batch) && batch.length > 0)
    return batch.length === 1 ? [batch, undefined] : [batch.slice(0, -1), batch.at(-1)];
  if (isPlain(batch) && 'x' in batch) return [[batch.x], batch.y];
  throw new ArgumentError(
    `Trainer: expected batches that are lists, tensors or { x, y }, got ${describe(batch)}` +
      (isPlain(batch) ? ` of ${Object.keys(batch).join(', ')}` : '') +
      '; say by unpack what the inputs and the target are',
  );
}

/** The same by the user's function. @throws ArgumentError where that gives no list */
export function unpackBy(unpack: (batch: never) => unknown): (batch: unknown) => Unpacked {
  return (batch) => {
    const given = unpack(batch as never);
    if (!Array.isArray(given))
      throw new ArgumentError(`Trainer: expected [inputs, target] from unpack, got ${describe(given)}`);
    const [inputs, target] = given;
    return [Array.isArray(inputs) ? inputs : [inputs], target];
  };
}

/** What predictions of batches are in all: tensors joined along the first dim, also in lists and objects. */
export function joined(all: readonly unknown[], join: (parts: Tensor[]) => Tensor): unknown {
  const [first] = all;
  if (first instanceof Tensor) return join(all as Tensor[]);
  const inside = (key: string | number): unknown =>
    joined(
      all.map((each) => (each as Record<string | number, unknown>)[key]),
      join,
    );
  if (Array.isArray(first)) return first.map((_, i) => inside(i));
  if (isPlain(first)) return Object.fromEntries(Object.keys(first).map((key) => [key, inside(key)]));
  return all;
}
