// The elementwise part of one step of a gated recurrent unit (Cho et al. 2014; torch.nn.GRUCell): what follows its two
// products. A row of a, b and gates [rows, 3, width] holds the gates reset and update and the candidate, one after the
// other; all others are [rows, width]. Every kernel overwrites its outputs.
import { loadLanes, madd, storeLanes } from "../lanes";
import { sigmoid, tanh } from "../math";
import { sigmoidSlope, tanhSlope } from "./slopes";

/**
 * gates = sigmoid of a + b, twice, and tanh(a + reset * inner), where inner = b + bias; h = candidate + update *
 * (hidden - candidate). h may be hidden, gates may be a. y is a second place for h, past one for hidden as it was. bias
 * is [width], or absent (0).
 */
export function gru_cell_forward_f32(
  h: usize,
  y: usize,
  gates: usize,
  inner: usize,
  past: usize,
  a: usize,
  b: usize,
  bias: usize,
  hidden: usize,
  rows: i32,
  width: i32,
): void {
  const one = (<usize>width) << 2,
    two = one << 1;
  for (; rows > 0; rows--, a += two, b += two, gates += two) {
    for (let left = width, at: usize = 0; left > 0; left -= 4, at += 16) {
      const lanes = min(4, left),
        bytes = (<usize>lanes) << 2;
      const reset = sigmoid(f32x4.add(loadLanes(a, lanes), loadLanes(b, lanes))),
        update = sigmoid(f32x4.add(loadLanes(a + one, lanes), loadLanes(b + one, lanes)));
      let product = loadLanes(b + two, lanes);
      if (bias) product = f32x4.add(product, loadLanes(bias + at, lanes));
      const candidate = tanh(madd(reset, product, loadLanes(a + two, lanes))),
        old = loadLanes(hidden, lanes);
      const result = madd(update, f32x4.sub(old, candidate), candidate);
      storeLanes(gates, reset, lanes);
      storeLanes(gates + one, update, lanes);
      storeLanes(gates + two, candidate, lanes);
      storeLanes(inner, product, lanes);
      storeLanes(past, old, lanes);
      storeLanes(h, result, lanes);
      storeLanes(y, result, lanes);
      a += bytes;
      b += bytes;
      gates += bytes;
      inner += bytes;
      hidden += bytes;
      past += bytes;
      h += bytes;
      y += bytes;
    }
  }
}

/**
 * Reverses gru_cell_forward_f32: da, db, and dhidden but for what comes through b, out of the gradients of h, which are
 * dh, dy and through; dy may be absent (0). gates, inner and past are what forward gave. dhidden may be dh.
 */
export function gru_cell_backward_f32(
  da: usize,
  db: usize,
  dhidden: usize,
  dh: usize,
  dy: usize,
  through: usize,
  gates: usize,
  inner: usize,
  past: usize,
  rows: i32,
  width: i32,
): void {
  const one = (<usize>width) << 2,
    two = one << 1;
  for (; rows > 0; rows--, da += two, db += two, gates += two) {
    for (let left = width; left > 0; left -= 4) {
      const lanes = min(4, left),
        bytes = (<usize>lanes) << 2;
      let g = f32x4.add(loadLanes(dh, lanes), loadLanes(through, lanes));
      if (dy) {
        g = f32x4.add(g, loadLanes(dy, lanes));
        dy += bytes;
      }
      const reset = loadLanes(gates, lanes),
        update = loadLanes(gates + one, lanes),
        candidate = loadLanes(gates + two, lanes);
      const slope = f32x4.mul(f32x4.mul(g, f32x4.sub(f32x4.splat(1), update)), tanhSlope(candidate));
      const dreset = f32x4.mul(f32x4.mul(slope, loadLanes(inner, lanes)), sigmoidSlope(reset));
      const dupdate = f32x4.mul(f32x4.mul(g, f32x4.sub(loadLanes(past, lanes), candidate)), sigmoidSlope(update));
      storeLanes(da, dreset, lanes);
      storeLanes(da + one, dupdate, lanes);
      storeLanes(da + two, slope, lanes);
      storeLanes(db, dreset, lanes);
      storeLanes(db + one, dupdate, lanes);
      storeLanes(db + two, f32x4.mul(slope, reset), lanes);
      storeLanes(dhidden, f32x4.mul(g, update), lanes);
      da += bytes;
      db += bytes;
      dhidden += bytes;
      dh += bytes;
      through += bytes;
      gates += bytes;
      inner += bytes;
      past += bytes;
    }
  }
}
