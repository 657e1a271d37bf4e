// Random numbers from whole numbers alone: a seed, and the place of what is drawn.

/**
 * A word of 32 bits from some whole numbers, each of which changes all of it: the finaliser of MurmurHash3, chained.
 */
export function mix(...numbers: readonly number[]): number {
  let h = 0x9e3779b9;
  for (const number of numbers)
    for (const word of [number, number / 2 ** 32]) {
      h = Math.imul(h ^ (word | 0), 0x85ebca6b);
      h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
      h ^= h >>> 16;
    }
  return h >>> 0;
}

/** From 0 up to, not including, 1. */
export const unit = (...numbers: readonly number[]): number => mix(...numbers) / 2 ** 32;
