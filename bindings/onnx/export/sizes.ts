// Sizes that may depend on the batch. A model is traced with batches of several sizes, and what differs from trace to
// trace grows with the batch: `scale · batch + offset`.

/** A size that depends on that of the batch. */
export interface Moving {
  readonly scale: number;
  readonly offset: number;
  /** What it is in the first trace. */
  readonly now: number;
}
export type Size = number | Moving;
export type Sizes = readonly Size[];

/** Numbers of any nesting, as attributes have them, with sizes in their place. */
export type Merged = Size | readonly Merged[];

export const isMoving = (size: Merged): size is Moving => typeof size === 'object' && !Array.isArray(size);

/** The size in the first trace. */
export const now = (size: Size): number => (typeof size === 'number' ? size : size.now);

const made = (scale: number, offset: number, current: number): Size =>
  scale === 0 ? offset : { scale, offset, now: current };

/** factor · size + more, in whole numbers. */
export function linear(size: Size, factor: number, more: number): Size {
  if (typeof size === 'number') return size * factor + more;
  return made(size.scale * factor, size.offset * factor + more, size.now * factor + more);
}

export function sum(a: Size, b: Size): Size {
  if (typeof a === 'number') return linear(b, 1, a);
  if (typeof b === 'number') return linear(a, 1, b);
  return made(a.scale + b.scale, a.offset + b.offset, a.now + b.now);
}

/** What tells a size from others. */
export const textOf = (size: Size): string =>
  typeof size === 'number' ? String(size) : `${size.scale}·batch+${size.offset}`;

export const same = (a: Size, b: Size): boolean => textOf(a) === textOf(b);

export const sameSizes = (a: Sizes, b: Sizes): boolean =>
  a.length === b.length && a.every((size, d) => same(size, b[d] as Size));

/**
 * One number as each trace has it, as a size.
 * @returns undefined where it grows otherwise than with the batch
 */
export function sizeFrom(values: readonly number[], batches: readonly number[]): Size | undefined {
  const [first = 0, second = 0] = values;
  if (values.every((value) => Object.is(value, first))) return first;
  const [from = 0, to = 0] = batches;
  const scale = (second - first) / (to - from);
  const offset = first - scale * from;
  const fits = values.every((value, i) => value === scale * (batches[i] as number) + offset);
  return fits && Number.isInteger(scale) && Number.isInteger(offset) ? { scale, offset, now: first } : undefined;
}
