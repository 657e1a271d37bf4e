// The outputs of depthwise convolutions, from a padded band.
//
// 3x3 has a loop of its own. It is bound by loads, so two rows at a time share what they both read.
import { madd, storePart } from "../../lanes";
import { Band } from "./band";
import { biasOf, floorOf, outputsGeneric } from "./generic";

/**
 * `rows` rows of four or more outputs of a 3x3 kernel of neighbouring taps, with a stride of 1; bias: where one value
 * is, or 0. Two rows at a time share half of what they read, and all weights stay in registers.
 */
function outputs3x3(band: Band, y: usize, rows: i32, biasAt: usize, act: i32): void {
  const bias = biasOf(biasAt),
    floor = floorOf(act);
  const n = band.width().outputs;
  const outBytes = (<usize>n) << 2,
    rowBytes = band.rowBytes;
  const w0 = v128.load32_splat(band.weight(0)),
    w1 = v128.load32_splat(band.weight(1));
  const w2 = v128.load32_splat(band.weight(2)),
    w3 = v128.load32_splat(band.weight(3));
  const w4 = v128.load32_splat(band.weight(4)),
    w5 = v128.load32_splat(band.weight(5));
  const w6 = v128.load32_splat(band.weight(6)),
    w7 = v128.load32_splat(band.weight(7));
  const w8 = v128.load32_splat(band.weight(8));
  // Tap 0 has no offset and no pointer is 0, but engines do not know that. So the exits below are never taken, but the
  // sums must be ready at each of them, which keeps engines from loading the elements of all taps first and spilling
  // them.
  const never = load<usize>(band.offset(0));
  let line = band.base();
  for (; rows > 0; rows -= 2) {
    for (let i: i32 = 0; i < n; i += 4) {
      i = min(i, n - 4);
      const at = (<usize>i) << 2;
      let p = line + at;
      let x = v128.load(p);
      let a = f32x4.mul(w0, x),
        b = f32x4.splat(0);
      do {
        x = v128.load(p, 4);
        a = madd(w1, x, a);
        x = v128.load(p, 8);
        a = madd(w2, x, a);
        if (p == never) break;
        p += rowBytes;
        x = v128.load(p);
        a = madd(w3, x, a);
        b = f32x4.mul(w0, x);
        x = v128.load(p, 4);
        a = madd(w4, x, a);
        b = madd(w1, x, b);
        if (p == never) break;
        x = v128.load(p, 8);
        a = madd(w5, x, a);
        b = madd(w2, x, b);
        p += rowBytes;
        x = v128.load(p);
        a = madd(w6, x, a);
        b = madd(w3, x, b);
        if (p == never) break;
        x = v128.load(p, 4);
        a = madd(w7, x, a);
        b = madd(w4, x, b);
        x = v128.load(p, 8);
        a = madd(w8, x, a);
        b = madd(w5, x, b);
        p += rowBytes;
        if (p == never) break;
        x = v128.load(p);
        b = madd(w6, x, b);
        x = v128.load(p, 4);
        b = madd(w7, x, b);
        x = v128.load(p, 8);
        b = madd(w8, x, b);
      } while (false);
      v128.store(y + at, f32x4.pmax(f32x4.add(a, bias), floor));
      // The second row of the last pair may not exist: what it read was workspace.
      if (rows > 1) v128.store(y + outBytes + at, f32x4.pmax(f32x4.add(b, bias), floor));
    }
    y += outBytes << 1;
    line += rowBytes << 1;
  }
}

/** `rows` rows of fewer than four outputs. */
function outputsFew(band: Band, y: usize, rows: i32, biasAt: usize, act: i32): void {
  const bias = biasOf(biasAt),
    floor = floorOf(act);
  const n = band.width().outputs;
  const next = <usize>band.height().scale * band.rowBytes;
  const end = band.offset(band.taps());
  let p = band.base();
  for (; rows > 0; rows--) {
    let s = f32x4.splat(0);
    for (let t = band.offset(0); t < end; t += 4)
      s = madd(v128.load32_splat(t, Band.WEIGHTS), v128.load(p + load<usize>(t)), s);
    storePart(y, f32x4.pmax(f32x4.add(s, bias), floor), n);
    y += (<usize>n) << 2;
    p += next;
  }
}

/** y = act(sum over t of weight[t] x[at(., t)] + bias) for a whole channel; `is3x3` chooses the loop that knows 3x3. */
export function storeOutputs(band: Band, y: usize, bias: usize, act: i32, is3x3: bool): void {
  const h = band.height(),
    w = band.width();
  const most = band.most;
  for (let o: i32 = 0; o < h.outputs; o += most) {
    const rows = min(most, h.outputs - o);
    band.fill(o, rows);
    if (is3x3) outputs3x3(band, y, rows, bias, act);
    else if (w.outputs >= 4) outputsGeneric(band, y, rows, bias, act);
    else outputsFew(band, y, rows, bias, act);
    y += (<usize>(rows * w.outputs)) << 2;
  }
}
