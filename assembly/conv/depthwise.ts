// Depthwise convolutions: each channel has a kernel of its own, so that there is no product of matrices in them and what
// counts is the way through memory. A band of rows is padded with zeros into the workspace, once, and all taps read it
// there, without a word about edges.
//
// A padded row is cut into `scale` parts, of every scale-th element, so that the elements that one tap reads for
// neighbouring outputs are neighbours, whatever the stride.
import { ACT_RELU } from "../gemm/epilogue";
import { horizontalSum, loadLanes, madd, storeLanes } from "../lanes";
import { Axis, Geometry, Reach } from "./geometry";
import { copyElements, spreadElements, zeros } from "./rows";

/** Most taps of a kernel. */
@inline
const TAPS: usize = 512;
/** What a band takes where it can: it stays in the first cache. */
@inline
const BAND_BYTES: i32 = 24576;

/** A plane and how its outputs read it, in the workspace. */
@final @unmanaged
class Plane {
  image: usize;
  /** Elements of the plane lie `spread` apart, with zeros between them. */
  spread: i32;
  /** Elements of a part of a padded row, and bytes of the row. */
  part: i32;
  rowBytes: usize;

  @inline height(): Reach { return changetype<Reach>(changetype<usize>(this) + offsetof<Plane>()); }
  @inline width(): Reach { return changetype<Reach>(changetype<usize>(this) + offsetof<Plane>() + offsetof<Reach>()); }
  @inline private tables(): usize { return changetype<usize>(this) + 128; }
  /** Where tap t reads, in bytes from the element of tap 0. */
  @inline offset(t: usize): usize { return this.tables() + (t << 2); }
  @inline weight(t: usize): usize { return this.tables() + 4 * TAPS + (t << 2); }
  @inline sum(t: usize): usize { return this.tables() + 8 * TAPS + (t << 4); }
  @inline band(): usize { return this.tables() + 24 * TAPS; }

  /** Lays rows and taps out; the reaches and `spread` are set. */
  start(): void {
    const h = this.height(), w = this.width();
    // A whole vector is read for the last outputs.
    this.part = ((w.outputs + 3) & ~3) + (w.taps - 1) * w.step / w.scale + 1;
    this.rowBytes = (<usize>(this.part * w.scale)) << 2;
    let t: usize = 0;
    for (let i: i32 = 0; i < h.taps; i++) {
      for (let j: i32 = 0; j < w.taps; j++) {
        const ahead = j * w.step;
        const at = <usize>((ahead % w.scale) * this.part + ahead / w.scale);
        store<usize>(this.offset(t++), <usize>(i * h.step) * this.rowBytes + (at << 2));
      }
    }
  }

  /** The output rows of a band: as many as fit. */
  bandRows(): i32 {
    const h = this.height();
    const fit = BAND_BYTES / <i32>this.rowBytes - (h.taps - 1) * h.step - 1;
    return max(fit / h.scale + 1, 1);
  }

  /** Makes the padded rows that output rows o .. o + n - 1 read. */
  fill(o: i32, n: i32): void {
    const h = this.height(), w = this.width();
    const rows = (n - 1) * h.scale + (h.taps - 1) * h.step + 1;
    const y = o * h.scale + h.shift;
    if (this.spread > 1) {
      this.fillSpread(y, rows);
      return;
    }
    const scale = w.scale, rowBytes = this.rowBytes;
    const partBytes = (<usize>this.part) << 2, lineBytes = (<usize>w.size) << 2;
    const start = max(y, 0), end = max(min(y + rows, h.size), start);
    const top = this.band();
    const first = top + <usize>(start - y) * rowBytes;
    const behind = first + <usize>(end - start) * rowBytes;
    zeros(top, min(first, top + <usize>rows * rowBytes));
    zeros(behind, top + <usize>rows * rowBytes);
    for (let r: i32 = 0; r < scale; r++) {
      const shift = w.shift + r;
      // The elements of this part that lie on the row.
      const from = shift >= 0 ? 0 : min((scale - 1 - shift) / scale, this.part);
      const room = w.size - 1 - shift;
      const count = max(min(room < 0 ? 0 : room / scale + 1, this.part) - from, 0);
      const before = (<usize>from) << 2, after = before + ((<usize>count) << 2);
      let src = this.image + <usize>start * lineBytes + ((<usize>(from * scale + shift)) << 2);
      for (let dst = first + <usize>r * partBytes; dst < behind; dst += rowBytes) {
        zeros(dst, dst + before);
        if (count > 0) copyElements(dst + before, src, count, (<usize>scale) << 2);
        zeros(dst + after, dst + partBytes);
        src += lineBytes;
      }
    }
  }

  private fillSpread(y: i32, rows: i32): void {
    const h = this.height(), w = this.width();
    const lineBytes = (<usize>((w.size - 1) / this.spread + 1)) << 2;
    let dst = this.band();
    for (; rows > 0; rows--) {
      const row = y / this.spread;
      const end = dst + this.rowBytes;
      if (y < 0 || y >= h.size || row * this.spread != y) zeros(dst, end);
      else this.spreadRow(dst, end, this.image + <usize>row * lineBytes, w.shift);
      y++;
      dst = end;
    }
  }

  /** A row of elements that lie apart; scale is 1. */
  private spreadRow(dst: usize, end: usize, src: usize, shift: i32): void {
    const spread = this.spread;
    const first = shift <= 0 ? 0 : (shift + spread - 1) / spread;
    const start = first * spread - shift;
    // Elements whose zeros behind them fit as well; one more may follow.
    const there = (this.width().size - 1) / spread + 1 - first;
    const count = max(min((this.part - start) / spread, there), 0);
    let at = dst + ((<usize>min(start, this.part)) << 2);
    zeros(dst, at);
    spreadElements(at, src + ((<usize>first) << 2), count, spread);
    at += (<usize>(count * spread)) << 2;
    if (count < there && at < end) {
      store<f32>(at, load<f32>(src + ((<usize>(first + count)) << 2)));
      at += 4;
    }
    zeros(at, end);
  }

  /** `rows` rows of outputs of a 3x3 kernel; `floor` is what the activation lets through at least. */
  private rows9(y: usize, rows: i32, bias: v128, floor: v128): void {
    const n = this.width().outputs;
    const c1 = load<usize>(this.offset(1)), c2 = load<usize>(this.offset(2));
    const r1 = load<usize>(this.offset(3)), r2 = load<usize>(this.offset(6));
    const next = <usize>this.height().scale * this.rowBytes;
    const w0 = v128.load32_splat(this.weight(0)), w1 = v128.load32_splat(this.weight(1));
    const w2 = v128.load32_splat(this.weight(2)), w3 = v128.load32_splat(this.weight(3));
    const w4 = v128.load32_splat(this.weight(4)), w5 = v128.load32_splat(this.weight(5));
    const w6 = v128.load32_splat(this.weight(6)), w7 = v128.load32_splat(this.weight(7));
    const w8 = v128.load32_splat(this.weight(8));
    // Tap 0 has no offset and no pointer is 0, but engines do not know it: a way out keeps them from loading the elements
    // of all taps first and spilling them.
    const never = load<usize>(this.offset(0));
    let line = this.band();
    for (; rows > 0; rows--) {
      for (let i: i32 = 0; i < n; i += 4) {
        // The last four outputs may overlap those before, and come out the same again.
        if (i + 4 > n && n >= 4) i = n - 4;
        const at = (<usize>i) << 2;
        const p0 = line + at, p1 = p0 + r1, p2 = p0 + r2;
        let s = f32x4.mul(w0, v128.load(p0));
        s = madd(w1, v128.load(p0 + c1), s);
        s = madd(w2, v128.load(p0 + c2), s);
        if (p0 == never) break;
        s = madd(w3, v128.load(p1), s);
        s = madd(w4, v128.load(p1 + c1), s);
        s = madd(w5, v128.load(p1 + c2), s);
        if (p1 == never) break;
        s = madd(w6, v128.load(p2), s);
        s = madd(w7, v128.load(p2 + c1), s);
        s = madd(w8, v128.load(p2 + c2), s);
        s = f32x4.pmax(f32x4.add(s, bias), floor);
        if (n >= 4) v128.store(y + at, s);
        else storeLanes(y + at, s, n);
      }
      y += (<usize>n) << 2;
      line += next;
    }
  }

  /** `rows` rows of outputs of any kernel, 16 outputs at a time where there are as many. */
  private rowsAny(y: usize, rows: i32, taps: usize, bias: v128, floor: v128): void {
    const n = this.width().outputs;
    const next = <usize>this.height().scale * this.rowBytes;
    let line = this.band();
    for (; rows > 0; rows--) {
      let i: i32 = 0;
      for (; n >= 16 && i < n; i += 16) {
        i = min(i, n - 16);
        const p = line + ((<usize>i) << 2), to = y + ((<usize>i) << 2);
        let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
        for (let t: usize = 0; t < taps; t++) {
          const w = v128.load32_splat(this.weight(t)), q = p + load<usize>(this.offset(t));
          s0 = madd(w, v128.load(q), s0);
          s1 = madd(w, v128.load(q, 16), s1);
          s2 = madd(w, v128.load(q, 32), s2);
          s3 = madd(w, v128.load(q, 48), s3);
        }
        v128.store(to, f32x4.pmax(f32x4.add(s0, bias), floor));
        v128.store(to, f32x4.pmax(f32x4.add(s1, bias), floor), 16);
        v128.store(to, f32x4.pmax(f32x4.add(s2, bias), floor), 32);
        v128.store(to, f32x4.pmax(f32x4.add(s3, bias), floor), 48);
      }
      for (; i < n; i += 4) {
        const p = line + ((<usize>i) << 2);
        let s = f32x4.splat(0);
        for (let t: usize = 0; t < taps; t++)
          s = madd(v128.load32_splat(this.weight(t)), v128.load(p + load<usize>(this.offset(t))), s);
        storeLanes(y + ((<usize>i) << 2), f32x4.pmax(f32x4.add(s, bias), floor), min(n - i, 4));
      }
      y += (<usize>n) << 2;
      line += next;
    }
  }

  /** y = act(sum over t of weight[t] x[at(., t)] + bias) for the whole plane. */
  apply(y: usize, bias: v128, act: i32): void {
    const h = this.height(), w = this.width();
    const floor = f32x4.splat(act == ACT_RELU ? 0 : -Infinity);
    const most = this.bandRows();
    for (let o: i32 = 0; o < h.outputs; o += most) {
      const rows = min(most, h.outputs - o);
      this.fill(o, rows);
      if (h.taps == 3 && w.taps == 3) this.rows9(y, rows, bias, floor);
      else this.rowsAny(y, rows, <usize>(h.taps * w.taps), bias, floor);
      y += (<usize>(rows * w.outputs)) << 2;
    }
  }

  /** sum[t] += g x[at(., t)] for the whole plane, band by band. */
  collect(g: usize): void {
    const h = this.height(), w = this.width();
    const taps = <usize>(h.taps * w.taps);
    const nine = h.taps == 3 && w.taps == 3;
    const most = this.bandRows();
    for (let o: i32 = 0; o < h.outputs; o += most) {
      const rows = min(most, h.outputs - o);
      this.fill(o, rows);
      if (nine) this.collect9(g, rows);
      else for (let t: usize = 0; t < taps; t++) this.collectOne(g, rows, t);
      g += (<usize>(rows * w.outputs)) << 2;
    }
  }

  private collectOne(g: usize, rows: i32, t: usize): void {
    const w = this.width();
    const next = <usize>this.height().scale * this.rowBytes;
    const vectorEnd = w.outputs & ~3, rest = w.outputs & 3;
    const mask = maskOf(rest);
    let line = this.band() + load<usize>(this.offset(t));
    let s = f32x4.splat(0);
    for (; rows > 0; rows--) {
      let p = line;
      for (let i: i32 = 0; i < vectorEnd; i += 4) {
        s = madd(v128.load(g), v128.load(p), s);
        g += 16;
        p += 16;
      }
      if (rest > 0) {
        s = madd(loadLanes(g, rest), v128.and(v128.load(p), mask), s);
        g += (<usize>rest) << 2;
      }
      line += next;
    }
    v128.store(this.sum(t), f32x4.add(v128.load(this.sum(t)), s));
  }

  private collect9(g: usize, rows: i32): void {
    const w = this.width();
    const next = <usize>this.height().scale * this.rowBytes;
    const vectorEnd = w.outputs & ~3, rest = w.outputs & 3;
    const mask = maskOf(rest);
    const c1 = load<usize>(this.offset(1)), c2 = load<usize>(this.offset(2));
    const r1 = load<usize>(this.offset(3)), r2 = load<usize>(this.offset(6));
    const never = load<usize>(this.offset(0));
    let line = this.band();
    let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0, s6 = s0, s7 = s0, s8 = s0;
    for (; rows > 0; rows--) {
      let p0 = line, p1 = line + r1, p2 = line + r2;
      for (let i: i32 = 0; i < vectorEnd; i += 4) {
        const v = v128.load(g);
        s0 = madd(v, v128.load(p0), s0);
        s1 = madd(v, v128.load(p0 + c1), s1);
        s2 = madd(v, v128.load(p0 + c2), s2);
        if (p0 == never) break;
        s3 = madd(v, v128.load(p1), s3);
        s4 = madd(v, v128.load(p1 + c1), s4);
        s5 = madd(v, v128.load(p1 + c2), s5);
        if (p1 == never) break;
        s6 = madd(v, v128.load(p2), s6);
        s7 = madd(v, v128.load(p2 + c1), s7);
        s8 = madd(v, v128.load(p2 + c2), s8);
        g += 16;
        p0 += 16;
        p1 += 16;
        p2 += 16;
      }
      if (rest > 0) {
        // Behind the last output lie elements of other outputs: an infinity there must not meet a zero.
        const v = loadLanes(g, rest);
        s0 = madd(v, v128.and(v128.load(p0), mask), s0);
        s1 = madd(v, v128.and(v128.load(p0 + c1), mask), s1);
        s2 = madd(v, v128.and(v128.load(p0 + c2), mask), s2);
        s3 = madd(v, v128.and(v128.load(p1), mask), s3);
        s4 = madd(v, v128.and(v128.load(p1 + c1), mask), s4);
        s5 = madd(v, v128.and(v128.load(p1 + c2), mask), s5);
        s6 = madd(v, v128.and(v128.load(p2), mask), s6);
        s7 = madd(v, v128.and(v128.load(p2 + c1), mask), s7);
        s8 = madd(v, v128.and(v128.load(p2 + c2), mask), s8);
        g += (<usize>rest) << 2;
      }
      line += next;
    }
    this.addSum(0, s0);
    this.addSum(1, s1);
    this.addSum(2, s2);
    this.addSum(3, s3);
    this.addSum(4, s4);
    this.addSum(5, s5);
    this.addSum(6, s6);
    this.addSum(7, s7);
    this.addSum(8, s8);
  }

  @inline private addSum(t: usize, s: v128): void {
    v128.store(this.sum(t), f32x4.add(v128.load(this.sum(t)), s));
  }
}

/** The first `lanes` lanes. */
function maskOf(lanes: i32): v128 {
  return i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(lanes));
}

/** Sets `reach` to the whole input axis as the gradient of all outputs, with zeros between them, sends it back. */
function backward(reach: Reach, axis: Axis): void {
  reach.size = (axis.outputs - 1) * axis.stride + 1;
  reach.outputs = axis.size;
  reach.taps = axis.kernel;
  reach.scale = 1;
  // The kernel is turned around, so that taps count upwards.
  reach.shift = axis.padding - (axis.kernel - 1) * axis.dilation;
  reach.step = axis.dilation;
}

/** Whether each group is one channel of images of two axes, and its rows fit the `bytes` of workspace. */
export function isDepthwise(g: Geometry, bytes: usize): bool {
  const d = g.axis(0), h = g.axis(1), w = g.axis(2);
  if (g.inChannels != 1 || g.outChannels != 1) return false;
  if (d.size != 1 || d.outputs != 1 || d.kernel != 1 || d.padding != 0) return false;
  // One spread serves both axes: that of one output has none.
  if (<usize>(h.kernel * w.kernel) > TAPS || (h.stride != w.stride && h.outputs != 1)) return false;
  // The longer of the padded rows of both directions, as often as a row of outputs needs.
  const row = <usize>max(w.outputs, w.size) + <usize>((w.kernel + 2) * w.dilation) + 8;
  const rows = <usize>((h.kernel - 1) * h.dilation + 1);
  return changetype<Plane>(0).band() + max<usize>(row * <usize>w.stride * rows * 4, BAND_BYTES) <= bytes;
}

/** conv_forward_f32 for depthwise convolutions. */
export function depthwiseForward(
  y: usize, x: usize, w: usize, bias: usize, act: i32, workspace: usize, g: Geometry,
): void {
  const plane = changetype<Plane>(workspace);
  plane.height().forward(g.axis(1));
  plane.width().forward(g.axis(2));
  plane.spread = 1;
  plane.start();
  planes(plane, y, x, w, bias, act, g, g.outPixels(), g.inPixels(), false);
}

/** conv_backward_input_f32 for depthwise convolutions. */
export function depthwiseBackwardInput(
  dx: usize, dy: usize, w: usize, bias: usize, act: i32, workspace: usize, g: Geometry,
): void {
  const plane = changetype<Plane>(workspace);
  backward(plane.height(), g.axis(1));
  backward(plane.width(), g.axis(2));
  plane.spread = g.axis(2).stride;
  plane.start();
  planes(plane, dx, dy, w, bias, act, g, g.inPixels(), g.outPixels(), true);
}

function planes(
  plane: Plane, to: usize, from: usize, w: usize, bias: usize, act: i32, g: Geometry, toPixels: i32, fromPixels: i32,
  turned: bool,
): void {
  const taps = <usize>g.kernelSize();
  for (let n: i32 = 0; n < g.batch; n++) {
    for (let c: usize = 0; c < <usize>g.groups; c++) {
      const weights = w + ((c * taps) << 2);
      for (let t: usize = 0; t < taps; t++)
        store<f32>(plane.weight(t), load<f32>(weights + ((turned ? taps - 1 - t : t) << 2)));
      plane.image = from;
      plane.apply(to, bias != 0 ? v128.load32_splat(bias + (c << 2)) : f32x4.splat(-0.0), act);
      to += (<usize>toPixels) << 2;
      from += (<usize>fromPixels) << 2;
    }
  }
}

/** conv_backward_weight_f32 for depthwise convolutions. */
export function depthwiseBackwardWeight(dw: usize, dy: usize, x: usize, workspace: usize, g: Geometry): void {
  const plane = changetype<Plane>(workspace);
  plane.height().forward(g.axis(1));
  plane.width().forward(g.axis(2));
  plane.spread = 1;
  plane.start();
  const taps = <usize>g.kernelSize(), channels = <usize>g.groups;
  const inBytes = (<usize>g.inPixels()) << 2, outBytes = (<usize>g.outPixels()) << 2;
  for (let c: usize = 0; c < channels; c++) {
    memory.fill(plane.sum(0), 0, taps << 4);
    for (let n: usize = 0; n < <usize>g.batch; n++) {
      plane.image = x + (n * channels + c) * inBytes;
      plane.collect(dy + (n * channels + c) * outBytes);
    }
    for (let t: usize = 0; t < taps; t++) {
      store<f32>(dw, horizontalSum(v128.load(plane.sum(t))));
      dw += 4;
    }
  }
}
