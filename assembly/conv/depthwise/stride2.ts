// The gradient of the input of depthwise convolutions with a stride of 2. Elements a stride apart take the same taps,
// so each phase of a row has a list of taps of its own, and no zero that the stride would put between outputs is
// multiplied.
import { interleaveHigh, interleaveLow } from "../../gemm/vectors";
import { madd, storeLanes } from "../../lanes";
import { Axis, Geometry, Phase, Window } from "../geometry";
import { Band } from "./band";
import { biasOf } from "./generic";

/** A tap of a phase: where it reads in the band, which one it is, and its weight. */
@final
@unmanaged
class Tap {
  offset: usize;
  index: i32;
  weight: f32;
}

/** Sets `window` to all that the phases of an axis take, one element of each phase an output. */
function span(window: Window, axis: Axis, phase: Phase): void {
  let low: i32 = i32.MAX_VALUE,
    high: i32 = i32.MIN_VALUE;
  for (let p: i32 = 0; p < axis.stride; p++) {
    phase.backward(window, axis, p);
    if (window.taps == 0) continue;
    low = min(low, window.shift + (window.taps - 1) * window.step);
    high = max(high, window.shift);
  }
  window.outputs = (axis.size + axis.stride - 1) / axis.stride;
  window.taps = high - low + 1;
  window.shift = low;
  window.step = 1;
}

/**
 * The lists of taps, row phase by row phase and in it column phase by column phase, at band.sum(0); their ends in
 * `ends`.
 */
function listTaps(band: Band, g: Geometry, ends: usize): void {
  const h = g.axis(1),
    w = g.axis(2);
  // Behind the lists of offsets: weights stand in the taps here.
  const rows = changetype<Window>(band.weight(0)),
    columns = changetype<Window>(band.weight(8));
  const down = changetype<Phase>(band.weight(16)),
    across = changetype<Phase>(band.weight(24));
  let at = band.sum(0);
  for (let i: i32 = 0; i < h.stride; i++) {
    down.backward(rows, h, i);
    for (let j: i32 = 0; j < 2; j++) {
      across.backward(columns, w, j);
      for (let a: i32 = 0; a < rows.taps; a++) {
        const row = <usize>(rows.shift + a * rows.step - band.height().shift);
        for (let b: i32 = 0; b < columns.taps; b++) {
          const tap = changetype<Tap>(at);
          const column = <usize>(columns.shift + b * columns.step - band.width().shift);
          tap.offset = row * band.rowBytes + (column << 2);
          tap.index = (down.firstTap + a * down.tapStep) * w.kernel + across.firstTap + b * across.tapStep;
          at += offsetof<Tap>();
        }
      }
      store<usize>(ends, at);
      ends += 4;
    }
  }
}

/**
 * One row of n elements from the line of the band: both column phases, with taps at from .. middle and middle .. end.
 */
function row2(y: usize, n: i32, line: usize, from: usize, middle: usize, end: usize, bias: v128): void {
  for (; n > 0; n -= 16) {
    let e0 = f32x4.splat(0),
      e1 = e0,
      o0 = e0,
      o1 = e0;
    let t = from;
    for (; t < middle; t += offsetof<Tap>()) {
      const p = line + changetype<Tap>(t).offset,
        w = v128.load32_splat(t, offsetof<Tap>("weight"));
      e0 = madd(w, v128.load(p), e0);
      e1 = madd(w, v128.load(p, 16), e1);
    }
    for (; t < end; t += offsetof<Tap>()) {
      const p = line + changetype<Tap>(t).offset,
        w = v128.load32_splat(t, offsetof<Tap>("weight"));
      o0 = madd(w, v128.load(p), o0);
      o1 = madd(w, v128.load(p, 16), o1);
    }
    e0 = f32x4.add(e0, bias);
    e1 = f32x4.add(e1, bias);
    o0 = f32x4.add(o0, bias);
    o1 = f32x4.add(o1, bias);
    if (n >= 16) {
      v128.store(y, interleaveLow(e0, o0));
      v128.store(y, interleaveHigh(e0, o0), 16);
      v128.store(y, interleaveLow(e1, o1), 32);
      v128.store(y, interleaveHigh(e1, o1), 48);
    } else {
      storeLanes(y, interleaveLow(e0, o0), min(n, 4));
      if (n > 4) storeLanes(y + 16, interleaveHigh(e0, o0), min(n - 4, 4));
      if (n > 8) storeLanes(y + 32, interleaveLow(e1, o1), min(n - 8, 4));
      if (n > 12) storeLanes(y + 48, interleaveHigh(e1, o1), n - 12);
    }
    y += 64;
    line += 32;
  }
}

/** Lays the band out for inputStride2, and lists the taps. */
export function prepareStride2(band: Band, g: Geometry): void {
  span(band.height(), g.axis(1), changetype<Phase>(band.weight(0)));
  span(band.width(), g.axis(2), changetype<Phase>(band.weight(0)));
  band.spread = 1;
  band.layOut();
  listTaps(band, g, band.scratch());
}

/** dx of the channel that is the image of the band. */
export function inputStride2(band: Band, dx: usize, w: usize, bias: usize, g: Geometry): void {
  const h = g.axis(1),
    n = g.axis(2).size;
  const ends = band.scratch(),
    first = band.sum(0),
    last = load<usize>(ends + ((<usize>(2 * h.stride - 1)) << 2));
  for (let t = first; t < last; t += offsetof<Tap>()) {
    const tap = changetype<Tap>(t);
    tap.weight = load<f32>(w + ((<usize>tap.index) << 2));
  }
  const b = biasOf(bias),
    all = band.height().outputs;
  let y: i32 = 0;
  for (let o: i32 = 0; o < all; o += band.most) {
    const rows = min(band.most, all - o);
    band.fill(o, rows);
    let line = band.base();
    for (let i: i32 = 0; i < rows; i++) {
      let from = first;
      for (let list = ends; y < h.size && list < ends + ((<usize>h.stride) << 3); list += 8) {
        const end = load<usize>(list, 4);
        row2(dx, n, line, from, load<usize>(list), end, b);
        from = end;
        dx += (<usize>n) << 2;
        y++;
      }
      line += band.rowBytes;
    }
  }
}
