// What happens to a tile of sums on its way into C: addition to C, bias, activation, and the cut at the edges of C.

/** No activation. */
@inline export const ACT_NONE: i32 = 0;
/** max(x, 0); NaN stays NaN. */
@inline export const ACT_RELU: i32 = 1;

/** act(x): the one place that knows what the codes mean. */
@inline
function activate(x: v128, act: i32): v128 {
  return act == ACT_RELU ? f32x4.pmax(x, f32x4.splat(0)) : x;
}

/** Four neighbours. */
@final @unmanaged
class Four {
  @inline load(p: usize): v128 { return v128.load(p); }
  @inline store(p: usize, x: v128): void { v128.store(p, x); }
}

/** One element, in the first lane. */
@final @unmanaged
class One {
  @inline load(p: usize): v128 { return v128.load32_zero(p); }
  @inline store(p: usize, x: v128): void { v128.store32_lane(p, x, 0); }
}

@inline
function finish<W>(c: usize, t: usize, bias: usize, j: usize, add: bool, act: i32): void {
  const w = changetype<W>(0);
  let x = w.load(t);
  if (add) x = f32x4.add(w.load(c), x);
  if (bias != 0) x = f32x4.add(x, w.load(bias + j));
  w.store(c, activate(x, act));
}

/**
 * C[rows, cols] = act((add ? C : 0) + T + bias), T a tile of sums.
 *
 * Rows of C lie `cBytes` apart, rows of T `tBytes`; bias: cols values, or 0 for none. Touches nothing outside.
 */
export function finishTile(
  c: usize, cBytes: usize, t: usize, tBytes: usize, rows: i32, cols: i32, bias: usize, add: bool, act: i32,
): void {
  const vectorEnd = <usize>(cols & ~3) << 2, end = <usize>cols << 2;
  for (; rows > 0; rows--) {
    let j: usize = 0;
    for (; j < vectorEnd; j += 16) finish<Four>(c + j, t + j, bias, j, add, act);
    for (; j < end; j += 4) finish<One>(c + j, t + j, bias, j, add, act);
    c += cBytes;
    t += tBytes;
  }
}

/** C[rows, cols] *= beta, rows `cBytes` apart. */
export function scaleRows(c: usize, cBytes: usize, rows: i32, cols: i32, beta: f32): void {
  const b = f32x4.splat(beta);
  const vectorEnd = <usize>(cols & ~3) << 2, end = <usize>cols << 2;
  for (; rows > 0; rows--) {
    let j: usize = 0;
    for (; j < vectorEnd; j += 16) v128.store(c + j, f32x4.mul(v128.load(c + j), b));
    for (; j < end; j += 4) v128.store32_lane(c + j, f32x4.mul(v128.load32_zero(c + j), b), 0);
    c += cBytes;
  }
}
