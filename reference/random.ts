// Seeded random numbers for inputs, the same on every machine.

/** Numbers in [0, 1): mulberry32. */
export function random(seed: string | number): () => number {
  let state = 0;
  if (typeof seed === 'number') state = seed;
  else for (const character of seed) state = (Math.imul(state, 31) + character.charCodeAt(0)) | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
