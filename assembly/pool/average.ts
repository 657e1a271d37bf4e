// Average pooling over the last two axes of x[planes, h, w] into y[planes, outH, outW], contiguous f32; backward is in
// averageback.ts. Pooling of one axis has h = 1. `dims` holds the axes as they lie in Sliding, the rows (h) first; then
// whether positions in the padding count, and the divisor of all windows or 0. Outputs are overwritten and may not
// alias inputs.
import { sumRow } from "../loops";
import { Identity } from "../ops";
import { scan } from "./scan";
import { thirds1, thirdsStride } from "./thirds";
import { Adaptive, Sliding } from "./windows";

/** The window's mean, or its sum over a given divisor. */
@final
@unmanaged
class Average {
  @inline places(): bool {
    return false;
  }
  @inline start(): v128 {
    return f32x4.splat(0);
  }
  @inline takes(a: v128, v: v128): v128 {
    return v;
  }
  @inline combine(a: v128, v: v128): v128 {
    return f32x4.add(a, v);
  }
  @inline place(at: v128, here: v128, taken: v128): v128 {
    return at;
  }
  @inline finish(a: v128, divisor: v128): v128 {
    return f32x4.div(a, divisor);
  }

  @inline alone(y: usize, index: usize, x: usize, r: i32, c: i32, width: i32, place: i32, divisor: f32): void {
    const columns = (<usize>c) << 2;
    let sum: f64 = 0;
    for (; r > 0; r--, x += (<usize>width) << 2) {
      if (c >= 4) sum += sumRow<Identity>(0, x, 0, 0, c);
      else for (let at: usize = 0; at < columns; at += 4) sum += load<f32>(x + at);
    }
    store<f32>(y, <f32>(sum / divisor));
  }
}

/** y = the mean of each window (torch.nn.functional.avg_pool2d). */
export function avg_pool_forward_f32(y: usize, x: usize, planes: i32, dims: usize): void {
  if (thirdsStride(dims) == 1) thirds1(y, x, planes, dims);
  else scan<Average, Sliding>(y, 0, x, planes, dims);
}

/** As avg_pool_forward_f32 over windows of uneven size (torch.nn.functional.adaptive_avg_pool2d). */
export function adaptive_avg_pool_forward_f32(y: usize, x: usize, planes: i32, dims: usize): void {
  scan<Average, Adaptive>(y, 0, x, planes, dims);
}
