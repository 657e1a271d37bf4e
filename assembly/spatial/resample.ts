// Another number of elements along the middle axis of x[outer, n, inner]: y[outer, m, inner]. Each result is a weighed
// sum of `taps` neighbours along the axis; several axes are resampled one after the other. `dims` = [n, m, mode, taps,
// align]; `scale` is how many elements of x one of y takes, or 0: n / m, or where the corners align (n - 1) / (m - 1).
// align: 0 the middles of elements lie at halves, 1 the corners align, 2 elements start where their indices say. With 1
// or 2 a nearest element is TensorFlow's.
import { copyRow } from "../indexing/indexing";
import { blockFor, closeTable, cubic, gatherRow, gatherTaps, scatterRow, scatterTaps, weightsAt } from "./taps";

/** Of modes: 0 rounds down. */
const NEAREST_EXACT: i32 = 1;
const LINEAR: i32 = 2;
const CUBIC: i32 = 3;
const LINEAR_SMOOTH: i32 = 4;

@final
@unmanaged
class Resampling {
  n: i32;
  m: i32;
  mode: i32;
  taps: i32;
  align: i32;
}

/** The elements of x that one of y takes. */
function scaleOf(dims: Resampling, scale: f32): f64 {
  if (dims.align == 1) return dims.m > 1 ? <f64>(dims.n - 1) / (dims.m - 1) : 0;
  return scale > 0 ? <f64>scale : <f64>dims.n / dims.m;
}

/** Adds to the weight of element i of the axis, or of its last one that way. */
@inline
function addWeight(at: usize, step: usize, start: i32, i: i32, n: i32, weight: f64): void {
  const to = at + <usize>(max(min(i, n - 1), 0) - start) * step;
  store<f32>(to, load<f32>(to) + <f32>weight);
}

/** Where result o of a mode without weights looks, in f32 as PyTorch works it out, or in f64 as TensorFlow does. */
@inline
function nearestOf(dims: Resampling, scale: f64, o: i32): i32 {
  const half: f32 = dims.mode == NEAREST_EXACT ? 0.5 : 0;
  if (dims.align) {
    const place = dims.align == 1 ? scale * o + 0.5 : scale * (<f64>o + half);
    return min(<i32>Math.floor(place), dims.n - 1);
  }
  return min(<i32>Mathf.floor((<f32>o + half) * <f32>scale), dims.n - 1);
}

/** What the mode weighs an element by that is d of x's elements, or of y's where these are longer, away. */
@inline
function smooth(mode: i32, d: f64): f64 {
  return mode == LINEAR_SMOOTH ? max(1 - d, 0) : cubic(d, -0.5);
}

/** The table of results from `from` to before from + count; an element of the axis has `unit` bytes. */
function fillTable(table: usize, from: i32, count: i32, dims: Resampling, scale: f64, unit: usize): void {
  const n = dims.n,
    taps = dims.taps,
    mode = dims.mode,
    block = blockFor(taps),
    step = (<usize>block) << 2,
    weights = weightsAt(block, taps);
  for (let q = 0; q < count; q++) {
    const o = from + q,
      at = table + ((<usize>q) << 2);
    const longer = max(scale, 1),
      support = (mode == LINEAR_SMOOTH ? 1.0 : 2.0) * longer,
      center = scale * (<f64>o + 0.5);
    let first: i32,
      t: f64 = 0;
    if (mode <= NEAREST_EXACT) first = nearestOf(dims, scale, o);
    else if (mode <= CUBIC) {
      let source = dims.align ? scale * o : center - 0.5;
      if (mode == LINEAR) source = max(source, 0);
      first = min(<i32>Math.floor(source), n - 1);
      t = min(max(source - first, 0), 1);
      if (mode == CUBIC) first--;
    } else first = max(<i32>(center - support + 0.5), 0);
    const start = max(min(first, n - taps), 0);
    for (let k = 0; k < taps; k++) {
      store<u32>(at + <usize>k * step, <u32>(start + k) * <u32>unit);
      store<f32>(at + <usize>k * step + weights, 0);
    }
    const w = at + weights;
    if (mode <= NEAREST_EXACT) store<f32>(w, 1);
    else if (mode == LINEAR) {
      addWeight(w, step, start, first, n, 1 - t);
      addWeight(w, step, start, first + 1, n, t);
    } else if (mode == CUBIC) {
      for (let k = 0; k < 4; k++) addWeight(w, step, start, first + k, n, cubic(Math.abs(t - (k - 1)), -0.75));
    } else {
      const some = min(<i32>(center + support + 0.5), n) - first;
      let total: f64 = 0;
      for (let k = 0; k < some; k++) total += smooth(mode, Math.abs((<f64>(first + k) - center + 0.5) / longer));
      for (let k = 0; k < some; k++) {
        addWeight(
          w,
          step,
          start,
          first + k,
          n,
          smooth(mode, Math.abs((<f64>(first + k) - center + 0.5) / longer)) / total,
        );
      }
    }
  }
  closeTable(table, block, taps, count);
}

/** y from x (torch.nn.functional.interpolate along one axis). Overwrites. */
export function resample_forward_f32(
  y: usize,
  x: usize,
  outer: i32,
  inner: i32,
  scale: f32,
  workspace: usize,
  dims: usize,
): void {
  const axis = changetype<Resampling>(dims),
    taps = axis.taps,
    block = blockFor(taps),
    step = (<usize>block) << 2,
    unit = (<usize>inner) << 2,
    by = scaleOf(axis, scale);
  for (let from = 0; from < axis.m; from += block) {
    const count = min(block, axis.m - from);
    fillTable(workspace, from, count, axis, by, unit);
    let to = y + <usize>from * unit,
      plane = x;
    for (let o = 0; o < outer; o++, to += <usize>axis.m * unit, plane += <usize>axis.n * unit) {
      if (inner == 1) {
        gatherTaps(to, plane, workspace, block, taps, count);
        continue;
      }
      for (let q: usize = 0; q < <usize>count; q++) {
        const at = workspace + (q << 2),
          row = to + q * unit;
        if (taps == 1) copyRow<u32>(row, plane + <usize>load<u32>(at), inner);
        else gatherRow(row, plane, at, step, weightsAt(block, taps), taps, inner);
      }
    }
  }
}

/** Reverses resample_forward_f32: each result, in order, adds its gradient, weighed, to what it took. Overwrites. */
export function resample_backward_f32(
  dx: usize,
  g: usize,
  outer: i32,
  inner: i32,
  scale: f32,
  workspace: usize,
  dims: usize,
): void {
  const axis = changetype<Resampling>(dims),
    taps = axis.taps,
    block = blockFor(taps),
    step = (<usize>block) << 2,
    unit = (<usize>inner) << 2,
    by = scaleOf(axis, scale);
  memory.fill(dx, 0, <usize>outer * <usize>axis.n * unit);
  for (let from = 0; from < axis.m; from += block) {
    const count = min(block, axis.m - from);
    fillTable(workspace, from, count, axis, by, unit);
    let gp = g + <usize>from * unit,
      plane = dx;
    for (let o = 0; o < outer; o++, gp += <usize>axis.m * unit, plane += <usize>axis.n * unit) {
      if (inner == 1) scatterTaps(plane, gp, workspace, block, taps, count);
      else {
        for (let q: usize = 0; q < <usize>count; q++) {
          scatterRow(plane, gp + q * unit, workspace + (q << 2), step, weightsAt(block, taps), taps, inner);
        }
      }
    }
  }
}
