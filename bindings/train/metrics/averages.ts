// How figures of classes become one.

/** `'micro'`: of all counts together; `'macro'`: the mean over classes; `'weighted'`: by how often each is there;
 * `'none'`: a figure for each class. */
export type Average = 'micro' | 'macro' | 'weighted' | 'none';

/** A number, or one for each class. */
export type Averaged<A extends Average> = A extends 'none' ? number[] : number;

export const AVERAGES = "'micro'|'macro'|'weighted'|'none'";

export const total = (values: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] as number;
  return sum;
};

/** a / b, and 0 of nothing. */
export const ratio = (a: number, b: number): number => (b === 0 ? 0 : a / b);

/**
 * One figure of those of classes.
 * @param weights how often each class is there
 * @param present whether it counts at all
 */
export function meanOf(
  figures: readonly number[],
  average: Average,
  weights: readonly number[],
  present: (i: number) => boolean,
): number | number[] {
  if (average === 'none') return [...figures];
  const kept = figures.flatMap((x, i) =>
    present(i) ? [{ x, weight: average === 'weighted' ? (weights[i] as number) : 1 }] : [],
  );
  return total(kept.map(({ x, weight }) => x * weight)) / total(kept.map(({ weight }) => weight));
}
