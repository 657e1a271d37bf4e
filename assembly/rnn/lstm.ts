// The elementwise part of one step of a long short-term memory (Hochreiter and Schmidhuber 1997; torch.nn.LSTMCell):
// what follows its two products. A row of a, b and gates [rows, 4, width] holds the gates input, forget, candidate and
// output, one after the other; all others are [rows, width]. Every kernel overwrites its outputs.
import { loadLanes, madd, storeLanes } from "../lanes";
import { sigmoid, tanh } from "../math";
import { sigmoidSlope, tanhSlope } from "./slopes";

/**
 * gates = sigmoid, sigmoid, tanh, sigmoid of a + b; c = forget * cell + input * candidate; h = output * tanh(c). h may
 * be hidden, c may be cell, gates may be a or b. y is a second place for h, and past and before are places for hidden
 * and cell as they were: each may be absent (0); an absent hidden is 0.
 */
export function lstm_cell_forward_f32(
  h: usize,
  c: usize,
  gates: usize,
  y: usize,
  past: usize,
  before: usize,
  a: usize,
  b: usize,
  hidden: usize,
  cell: usize,
  rows: i32,
  width: i32,
): void {
  const one = (<usize>width) << 2,
    two = one << 1,
    three = two + one;
  for (; rows > 0; rows--, a += three, b += three, gates += three) {
    for (let left = width; left > 0; left -= 4) {
      const lanes = min(4, left),
        bytes = (<usize>lanes) << 2;
      const input = sigmoid(f32x4.add(loadLanes(a, lanes), loadLanes(b, lanes))),
        forget = sigmoid(f32x4.add(loadLanes(a + one, lanes), loadLanes(b + one, lanes))),
        candidate = tanh(f32x4.add(loadLanes(a + two, lanes), loadLanes(b + two, lanes))),
        output = sigmoid(f32x4.add(loadLanes(a + three, lanes), loadLanes(b + three, lanes)));
      const old = loadLanes(cell, lanes);
      const state = madd(forget, old, f32x4.mul(input, candidate));
      const result = f32x4.mul(output, tanh(state));
      storeLanes(gates, input, lanes);
      storeLanes(gates + one, forget, lanes);
      storeLanes(gates + two, candidate, lanes);
      storeLanes(gates + three, output, lanes);
      if (past) {
        let last = f32x4.splat(0);
        if (hidden) {
          last = loadLanes(hidden, lanes);
          hidden += bytes;
        }
        storeLanes(past, last, lanes);
        past += bytes;
      }
      if (before) {
        storeLanes(before, old, lanes);
        before += bytes;
      }
      storeLanes(c, state, lanes);
      storeLanes(h, result, lanes);
      if (y) {
        storeLanes(y, result, lanes);
        y += bytes;
      }
      a += bytes;
      b += bytes;
      gates += bytes;
      cell += bytes;
      c += bytes;
      h += bytes;
    }
  }
}

/**
 * Reverses lstm_cell_forward_f32: dgates, for a and b alike, and dcell out of the gradients of h, which are dh and dy,
 * and of c, which is dc; each may be absent (0). gates is what forward gave. dcell may be dc, dgates may be gates.
 */
export function lstm_cell_backward_f32(
  dgates: usize,
  dcell: usize,
  dh: usize,
  dy: usize,
  dc: usize,
  gates: usize,
  cell: usize,
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
        output = loadLanes(gates + three, lanes),
        old = loadLanes(cell, lanes);
      let state = f32x4.splat(0),
        g = f32x4.splat(0);
      if (dc) {
        state = loadLanes(dc, lanes);
        dc += bytes;
      }
      if (dh) {
        g = loadLanes(dh, lanes);
        dh += bytes;
      }
      if (dy) {
        g = f32x4.add(g, loadLanes(dy, lanes));
        dy += bytes;
      }
      const squashed = tanh(madd(forget, old, f32x4.mul(input, candidate)));
      state = madd(f32x4.mul(g, output), tanhSlope(squashed), state);
      storeLanes(dgates, f32x4.mul(f32x4.mul(state, candidate), sigmoidSlope(input)), lanes);
      storeLanes(dgates + one, f32x4.mul(f32x4.mul(state, old), sigmoidSlope(forget)), lanes);
      storeLanes(dgates + two, f32x4.mul(f32x4.mul(state, input), tanhSlope(candidate)), lanes);
      storeLanes(dgates + three, f32x4.mul(f32x4.mul(g, squashed), sigmoidSlope(output)), lanes);
      storeLanes(dcell, f32x4.mul(state, forget), lanes);
      gates += bytes;
      dgates += bytes;
      cell += bytes;
      dcell += bytes;
    }
  }
}
