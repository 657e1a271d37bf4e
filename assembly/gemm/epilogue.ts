// The epilogue of a product: how a tile of sums is stored at the edges of C, and bias and activation behind the last K
// block.
import { Four, One } from "./vectors";

/** No activation. */
@inline
export const ACT_NONE: i32 = 0;
/** max(x, 0); NaN stays NaN. */
@inline
export const ACT_RELU: i32 = 1;

/** The activations, one class each. */
@final
@unmanaged
class Identity {
  @inline apply(x: v128): v128 {
    return x;
  }
}

@final
@unmanaged
class Relu {
  @inline apply(x: v128): v128 {
    return f32x4.pmax(x, f32x4.splat(0));
  }
}

/** One vector of W down the rows: C = F(C + bias). */
@inline
function finishColumns<F, W>(c: usize, cBytes: usize, rows: i32, bias: v128): void {
  const f = changetype<F>(0);
  const w = changetype<W>(0);
  for (; rows > 0; rows--) {
    w.store(c, f.apply(f32x4.add(w.load(c), bias)));
    c += cBytes;
  }
}

function finishWith<F>(c: usize, cBytes: usize, rows: i32, cols: i32, bias: usize): void {
  const four = changetype<Four>(0);
  const one = changetype<One>(0);
  const vectorEnd = (<usize>(cols & ~3)) << 2;
  const end = (<usize>cols) << 2;
  // Adding -0 leaves every value as it is, -0 included.
  const none = f32x4.splat(-0.0);
  let j: usize = 0;
  for (; j < vectorEnd; j += 16) finishColumns<F, Four>(c + j, cBytes, rows, bias != 0 ? four.load(bias + j) : none);
  for (; j < end; j += 4) finishColumns<F, One>(c + j, cBytes, rows, bias != 0 ? one.load(bias + j) : none);
}

/** C[rows, cols] = act(C + bias[cols]), rows `cBytes` apart; bias 0 for none. The one place that knows the codes. */
export function finish(c: usize, cBytes: usize, rows: i32, cols: i32, bias: usize, act: i32): void {
  if (act == ACT_RELU) finishWith<Relu>(c, cBytes, rows, cols, bias);
  else finishWith<Identity>(c, cBytes, rows, cols, bias);
}

@inline
function moveOne<W>(c: usize, t: usize, add: bool): void {
  const w = changetype<W>(0);
  const x = w.load(t);
  w.store(c, add ? f32x4.add(w.load(c), x) : x);
}

/** C[rows, cols] = (add ? C : 0) + T: the part of a tile that lies inside C. Rows `cBytes` and `tBytes` apart. */
export function cutTile(c: usize, cBytes: usize, t: usize, tBytes: usize, rows: i32, cols: i32, add: bool): void {
  const vectorEnd = (<usize>(cols & ~3)) << 2;
  const end = (<usize>cols) << 2;
  for (; rows > 0; rows--) {
    let j: usize = 0;
    for (; j < vectorEnd; j += 16) moveOne<Four>(c + j, t + j, add);
    for (; j < end; j += 4) moveOne<One>(c + j, t + j, add);
    c += cBytes;
    t += tBytes;
  }
}
