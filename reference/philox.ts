// The random numbers of kernels, one by one.

export type Words = readonly [number, number, number, number];

/** The upper half of a product of two words. */
export const high = (a: number, b: number): number => Number((BigInt(a) * BigInt(b)) >> 32n);

/** A block of Philox4x32, straight from the paper (Salmon et al. 2011). */
export function philox(counter: Words, key: readonly [number, number], rounds = 10): Words {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < rounds; round++) {
    [c0, c1, c2, c3] = [
      (high(0xcd9e8d57, c2) ^ c1 ^ k0) >>> 0,
      Math.imul(0xcd9e8d57, c2) >>> 0,
      (high(0xd2511f53, c0) ^ c3 ^ k1) >>> 0,
      Math.imul(0xd2511f53, c0) >>> 0,
    ];
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  return [c0, c1, c2, c3];
}

/** Block i of a generator in a state, key0, key1, counterLow, counterHigh, under a third word of the counter. */
export function block([key0, key1, low, top]: Words, i: number, third = 0, rounds = 10): Words {
  const counter = BigInt.asUintN(64, BigInt(low) + (BigInt(top) << 32n) + BigInt(i));
  return philox([Number(counter & 0xffff_ffffn), Number(counter >> 32n), third, 0], [key0, key1], rounds);
}

/** The words that a state gives, element by element. */
export function words(state: Words, n: number): Uint32Array {
  const blocks = Array.from({ length: Math.ceil(n / 4) }, (_, i) => block(state, i));
  return Uint32Array.from({ length: n }, (_, i) => blocks[i >> 2]?.[i & 3] as number);
}

/**
 * Which of n elements dropout keeps: 1, or 0 where a number below p * 2^32 came. Its first byte is that of the element
 * in blocks of 7 rounds, and the others are the first of a block of the element's own.
 */
export function kept(state: Words, n: number, p: number): number[] {
  const blocks = Array.from({ length: Math.ceil(n / 16) }, (_, i) => block(state, i, 0, 7));
  return Array.from({ length: n }, (_, i) => {
    const byte = ((blocks[i >> 4]?.[(i >> 2) & 3] as number) >>> (8 * (i & 3))) & 255;
    const rest = block(state, i >> 4, 1 + (i & 15))[0] >>> 8;
    return Number(p < 1 && byte * 2 ** 24 + rest >= Math.floor(Math.fround(p) * 2 ** 32));
  });
}
