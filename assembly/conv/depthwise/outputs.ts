// The outputs of depthwise convolutions, from a padded band.
import { madd, storePart } from "../../lanes";
import { Band } from "./band";
import { biasOf, floorOf, outputsGeneric } from "./generic";

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

/** y = act(sum over t of weight[t] x[at(., t)] + bias) for a whole channel. */
export function storeOutputs(band: Band, y: usize, bias: usize, act: i32): void {
  const h = band.height(),
    w = band.width();
  const most = band.most;
  for (let o: i32 = 0; o < h.outputs; o += most) {
    const rows = min(most, h.outputs - o);
    band.fill(o, rows);
    if (w.outputs >= 4) outputsGeneric(band, y, rows, bias, act);
    else outputsFew(band, y, rows, bias, act);
    y += (<usize>(rows * w.outputs)) << 2;
  }
}
