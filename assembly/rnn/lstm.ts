// The elementwise part of one step of a long short-term memory (Hochreiter and Schmidhuber 1997; torch.nn.LSTMCell):
// what follows its two products. A row of a, b and gates [rows, 4, width] holds the gates input, forget, candidate and
// output, one after the other; all others are [rows, width]. Every kernel overwrites its outputs.
import { loadLanes, madd, storeLanes } from "../lanes";
import { sigmoid, tanh } from "../math";
import { sigmoidSlope, tanhSlope } from "./slopes";

/** The first `lanes` units of lstm_cell_forward_f32 from here on; `one` bytes are a part of gates. */
@inline
function forward(
  h: usize,
  c: usize,
  gates: usize,
  squashed: usize,
  y: usize,
  past: usize,
  before: usize,
  a: usize,
  b: usize,
  hidden: usize,
  cell: usize,
  one: usize,
  at: usize,
  lanes: i32,
): void {
  const first = a + at,
    second = b + at,
    to = gates + at;
  const input = sigmoid(f32x4.add(loadLanes(first, lanes), loadLanes(second, lanes)));
  storeLanes(to, input, lanes);
  const candidate = tanh(f32x4.add(loadLanes(first + 2 * one, lanes), loadLanes(second + 2 * one, lanes)));
  storeLanes(to + 2 * one, candidate, lanes);
  const forget = sigmoid(f32x4.add(loadLanes(first + one, lanes), loadLanes(second + one, lanes)));
  storeLanes(to + one, forget, lanes);
  const old = loadLanes(cell + at, lanes);
  if (before) storeLanes(before + at, old, lanes);
  if (past) storeLanes(past + at, hidden ? loadLanes(hidden + at, lanes) : f32x4.splat(0), lanes);
  const state = madd(forget, old, f32x4.mul(input, candidate));
  storeLanes(c + at, state, lanes);
  const output = sigmoid(f32x4.add(loadLanes(first + 3 * one, lanes), loadLanes(second + 3 * one, lanes)));
  storeLanes(to + 3 * one, output, lanes);
  const bounded = tanh(state);
  storeLanes(squashed + at, bounded, lanes);
  const result = f32x4.mul(output, bounded);
  storeLanes(h + at, result, lanes);
  if (y) storeLanes(y + at, result, lanes);
}

/**
 * gates = sigmoid, sigmoid, tanh, sigmoid of a + b; c = forget * cell + input * candidate; squashed = tanh(c); h =
 * output * squashed. h may be hidden, c may be cell, gates may be a or b. y is a second place for h, and past, whose
 * rows lie pastRow apart, and before are places for hidden and cell as they were: each may be absent (0); an absent
 * hidden is 0.
 */
export function lstm_cell_forward_f32(
  h: usize,
  c: usize,
  gates: usize,
  squashed: usize,
  y: usize,
  past: usize,
  before: usize,
  a: usize,
  b: usize,
  hidden: usize,
  cell: usize,
  rows: i32,
  width: i32,
  pastRow: i32,
): void {
  const one = (<usize>width) << 2,
    whole = (<usize>(width & ~3)) << 2;
  for (; rows > 0; rows--) {
    let at: usize = 0;
    for (; at < whole; at += 16) forward(h, c, gates, squashed, y, past, before, a, b, hidden, cell, one, at, 4);
    if (at < one) forward(h, c, gates, squashed, y, past, before, a, b, hidden, cell, one, at, width & 3);
    gates += 4 * one;
    a += 4 * one;
    b += 4 * one;
    h += one;
    c += one;
    squashed += one;
    cell += one;
    if (y) y += one;
    if (past) past += (<usize>pastRow) << 2;
    if (before) before += one;
    if (hidden) hidden += one;
  }
}

/** The first `lanes` units of lstm_cell_backward_f32 from here on. */
@inline
function backward(
  dgates: usize,
  dcell: usize,
  dh: usize,
  dy: usize,
  dc: usize,
  gates: usize,
  squashed: usize,
  cell: usize,
  one: usize,
  at: usize,
  lanes: i32,
): void {
  const from = gates + at,
    to = dgates + at;
  let state = dc ? loadLanes(dc + at, lanes) : f32x4.splat(0),
    g = dh ? loadLanes(dh + at, lanes) : f32x4.splat(0);
  if (dy) g = f32x4.add(g, loadLanes(dy + at, lanes));
  const bounded = loadLanes(squashed + at, lanes),
    output = loadLanes(from + 3 * one, lanes);
  state = madd(f32x4.mul(g, output), tanhSlope(bounded), state);
  const input = loadLanes(from, lanes),
    forget = loadLanes(from + one, lanes),
    candidate = loadLanes(from + 2 * one, lanes);
  storeLanes(to, f32x4.mul(f32x4.mul(state, candidate), sigmoidSlope(input)), lanes);
  storeLanes(to + one, f32x4.mul(f32x4.mul(state, loadLanes(cell + at, lanes)), sigmoidSlope(forget)), lanes);
  storeLanes(to + 2 * one, f32x4.mul(f32x4.mul(state, input), tanhSlope(candidate)), lanes);
  storeLanes(to + 3 * one, f32x4.mul(f32x4.mul(g, bounded), sigmoidSlope(output)), lanes);
  storeLanes(dcell + at, f32x4.mul(state, forget), lanes);
}

/**
 * Reverses lstm_cell_forward_f32: dgates, for a and b alike, and dcell out of the gradients of h, which are dh and dy,
 * and of c, which is dc; each may be absent (0). gates and squashed are what forward gave. dcell may be dc, dgates may
 * be gates.
 */
export function lstm_cell_backward_f32(
  dgates: usize,
  dcell: usize,
  dh: usize,
  dy: usize,
  dc: usize,
  gates: usize,
  squashed: usize,
  cell: usize,
  rows: i32,
  width: i32,
): void {
  const one = (<usize>width) << 2,
    whole = (<usize>(width & ~3)) << 2;
  for (; rows > 0; rows--) {
    let at: usize = 0;
    for (; at < whole; at += 16) backward(dgates, dcell, dh, dy, dc, gates, squashed, cell, one, at, 4);
    if (at < one) backward(dgates, dcell, dh, dy, dc, gates, squashed, cell, one, at, width & 3);
    gates += 4 * one;
    dgates += 4 * one;
    squashed += one;
    cell += one;
    dcell += one;
    if (dh) dh += one;
    if (dy) dy += one;
    if (dc) dc += one;
  }
}
