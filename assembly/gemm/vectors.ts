// Vectors of a matrix: the two widths of a row, and the shuffles that transpose 4x4.

/** Four neighbours. */
@final
@unmanaged
export class Four {
  @inline load(p: usize): v128 {
    return v128.load(p);
  }
  @inline store(p: usize, x: v128): void {
    v128.store(p, x);
  }
}

/** One element, in the first lane: what is left of a row, by the same code. */
@final
@unmanaged
export class One {
  @inline load(p: usize): v128 {
    return v128.load32_zero(p);
  }
  @inline store(p: usize, x: v128): void {
    v128.store32_lane(p, x, 0);
  }
}

/** x0 y0 x1 y1. */
@inline
export function interleaveLow(x: v128, y: v128): v128 {
  return v128.shuffle<f32>(x, y, 0, 4, 1, 5);
}

/** x2 y2 x3 y3. */
@inline
export function interleaveHigh(x: v128, y: v128): v128 {
  return v128.shuffle<f32>(x, y, 2, 6, 3, 7);
}

/** x0 x1 y0 y1. */
@inline
export function joinLow(x: v128, y: v128): v128 {
  return v128.shuffle<f64>(x, y, 0, 2);
}

/** x2 x3 y2 y3. */
@inline
export function joinHigh(x: v128, y: v128): v128 {
  return v128.shuffle<f64>(x, y, 1, 3);
}

/** One element from each of four places. */
@inline
export function gather(p0: usize, p1: usize, p2: usize, p3: usize): v128 {
  return v128.load32_lane(p3, v128.load32_lane(p2, v128.load32_lane(p1, v128.load32_zero(p0), 1), 2), 3);
}

/** Stores 8 neighbours. */
@inline
export function put8(c: usize, v0: v128, v1: v128): void {
  v128.store(c, v0);
  v128.store(c, v1, 16);
}

/** Adds to 8 neighbours. */
@inline
export function add8(c: usize, v0: v128, v1: v128): void {
  put8(c, f32x4.add(v128.load(c), v0), f32x4.add(v128.load(c, 16), v1));
}

/** Stores 16 neighbours. */
@inline
export function put16(c: usize, v0: v128, v1: v128, v2: v128, v3: v128): void {
  put8(c, v0, v1);
  put8(c + 32, v2, v3);
}

/** Adds to 16 neighbours. */
@inline
export function add16(c: usize, v0: v128, v1: v128, v2: v128, v3: v128): void {
  add8(c, v0, v1);
  add8(c + 32, v2, v3);
}
