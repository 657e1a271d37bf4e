// The order of examples in a pass. Its random numbers are its own, so that the model's (dropout, initialisers) and the
// data's never disturb each other, and a pass can be repeated from its number alone.
import { ArgumentError, outside } from '../memory/errors.ts';
import { signature } from '../signature.ts';

/** 32 random bits a call: Chris Doty-Humphrey's sfc32 (PractRand), seeded by three words. */
function sfc32(seed: number, stream: number): () => number {
  let a = seed | 0;
  let b = (seed / 2 ** 32) | 0;
  let c = stream | 0;
  let counter = 1;
  const next = (): number => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    c |= 0;
    return sum >>> 0;
  };
  for (let i = 0; i < 15; i++) next(); // what its author runs before the first number
  return next;
}

const shuffle = signature('Shuffle(seed: int, epoch: int)');
const toBelow = signature('Shuffle.below(n: int)');
const toOrder = signature('Shuffle.order(n: int)');

/** Random orders, one for each seed and epoch. */
export class Shuffle {
  readonly #next: () => number;

  /** @throws ArgumentError unless both are whole numbers ≥ 0 */
  constructor(...args: [seed: number, epoch: number]) {
    const [seed, epoch] = shuffle.parse(args) as typeof args;
    if (seed < 0 || epoch < 0)
      throw new ArgumentError(`Shuffle: expected seed and epoch to be whole numbers >= 0, got ${seed} and ${epoch}`);
    this.#next = sfc32(seed, epoch);
  }

  /**
   * A whole number from 0 to n − 1, each as likely.
   * @throws ArgumentError unless n is a whole number from 1 to 2 ** 32
   */
  below(...args: [n: number]): number {
    const [n] = toBelow.parse(args) as typeof args;
    if (n < 1 || n > 2 ** 32) throw new ArgumentError(`below: expected a whole number from 1 to 2 ** 32, got ${n}`);
    return this.#draw(n);
  }

  /** Words beyond the last whole multiple of n are drawn again. */
  #draw(n: number): number {
    const limit = 2 ** 32 - (2 ** 32 % n);
    for (;;) {
      const word = this.#next();
      if (word < limit) return word % n;
    }
  }

  /**
   * The numbers 0 … n − 1 in random order (Fisher–Yates).
   * @throws ArgumentError unless n is a whole number from 0 to 2 ** 31
   */
  order(...args: [n: number]): Int32Array {
    const [n] = toOrder.parse(args) as typeof args;
    if (n < 0 || n > 2 ** 31) throw new ArgumentError(`order: expected a whole number from 0 to 2 ** 31, got ${n}`);
    const order = outside(4 * n, () => new Int32Array(n));
    for (let i = 0; i < n; i++) order[i] = i;
    for (let i = n - 1; i > 0; i--) {
      const j = this.#draw(i + 1);
      const swap = order[i] as number;
      order[i] = order[j] as number;
      order[j] = swap;
    }
    return order;
  }
}
