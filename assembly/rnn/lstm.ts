// The elementwise part of one step of a long short-term memory (Hochreiter and Schmidhuber 1997; torch.nn.LSTMCell):
// what follows its two products. A row of a, b and gates [rows, 4, width] holds the gates input, forget, candidate and
// output, one after the other; cell, c and h are [rows, width]. Every kernel overwrites its outputs.
import { loadLanes, madd, storeLanes } from "../lanes";
import { sigmoid, tanh } from "../math";

/**
 * gates = sigmoid, sigmoid, tanh, sigmoid of a + b; c = forget * cell + input * candidate; h = output * tanh(c). h and
 * c may be cell, gates may be a or b.
 */
export function lstm_cell_forward_f32(
  h: usize,
  c: usize,
  gates: usize,
  a: usize,
  b: usize,
  cell: usize,
  rows: i32,
  width: i32,
): void {
  const one = (<usize>width) << 2,
    two = one << 1,
    three = two + one;
  for (; rows > 0; rows--, a += three, b += three, gates += three) {
    for (let left = width; left > 0; left -= 4) {
      const lanes = min(4, left);
      const input = sigmoid(f32x4.add(loadLanes(a, lanes), loadLanes(b, lanes))),
        forget = sigmoid(f32x4.add(loadLanes(a + one, lanes), loadLanes(b + one, lanes))),
        candidate = tanh(f32x4.add(loadLanes(a + two, lanes), loadLanes(b + two, lanes))),
        output = sigmoid(f32x4.add(loadLanes(a + three, lanes), loadLanes(b + three, lanes)));
      const state = madd(forget, loadLanes(cell, lanes), f32x4.mul(input, candidate));
      storeLanes(gates, input, lanes);
      storeLanes(gates + one, forget, lanes);
      storeLanes(gates + two, candidate, lanes);
      storeLanes(gates + three, output, lanes);
      storeLanes(c, state, lanes);
      storeLanes(h, f32x4.mul(output, tanh(state)), lanes);
      const bytes = (<usize>lanes) << 2;
      a += bytes;
      b += bytes;
      gates += bytes;
      cell += bytes;
      c += bytes;
      h += bytes;
    }
  }
}

/** s (1 - s). */
@inline
function sigmoidSlope(s: v128): v128 {
  return f32x4.mul(f32x4.sub(f32x4.splat(1), s), s);
}

/** (1 - t)(1 + t), which keeps what 1 - t^2 would round away near ±1. */
@inline
function tanhSlope(t: v128): v128 {
  const one = f32x4.splat(1);
  return f32x4.mul(f32x4.sub(one, t), f32x4.add(one, t));
}

/**
 * Reverses lstm_cell_forward_f32: dgates, for a and b alike, and dcell out of dh and dc, of which one may be absent
 * (0). gates is what forward gave, c its new cell.
 */
export function lstm_cell_backward_f32(
  dgates: usize,
  dcell: usize,
  dh: usize,
  dc: usize,
  gates: usize,
  cell: usize,
  c: usize,
  rows: i32,
  width: i32,
): void {
  const one = (<usize>width) << 2,
    two = one << 1,
    three = two + one;
  for (; rows > 0; rows--, gates += three, dgates += three) {
    for (let left = width; left > 0; left -= 4) {
      const lanes = min(4, left),
        bytes = (<usize>lanes) << 2;
      const input = loadLanes(gates, lanes),
        forget = loadLanes(gates + one, lanes),
        candidate = loadLanes(gates + two, lanes),
        output = loadLanes(gates + three, lanes);
      let state = f32x4.splat(0),
        opened = f32x4.splat(0);
      if (dc) state = loadLanes(dc, lanes);
      if (dh) {
        const g = loadLanes(dh, lanes),
          squashed = tanh(loadLanes(c, lanes));
        state = madd(f32x4.mul(g, output), tanhSlope(squashed), state);
        opened = f32x4.mul(f32x4.mul(g, squashed), sigmoidSlope(output));
        dh += bytes;
      }
      storeLanes(dgates, f32x4.mul(f32x4.mul(state, candidate), sigmoidSlope(input)), lanes);
      storeLanes(dgates + one, f32x4.mul(f32x4.mul(state, loadLanes(cell, lanes)), sigmoidSlope(forget)), lanes);
      storeLanes(dgates + two, f32x4.mul(f32x4.mul(state, input), tanhSlope(candidate)), lanes);
      storeLanes(dgates + three, opened, lanes);
      storeLanes(dcell, f32x4.mul(state, forget), lanes);
      if (dc) dc += bytes;
      gates += bytes;
      dgates += bytes;
      cell += bytes;
      c += bytes;
      dcell += bytes;
    }
  }
}
