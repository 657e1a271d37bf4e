// Windows as columns (im2col) and back (col2im): x[planes, h, w] beside y[planes, kernelH, kernelW, outH, outW], which
// holds for every tap of the kernel what all windows have there, zeros where they lie in the padding. `dims` holds the
// axes as they lie in Sliding, the rows (h) first. Outputs are overwritten and may not alias inputs.
import { copyRow } from "../indexing/indexing";
import { mapRow } from "../loops";
import { Add } from "../ops";
import { AXIS, Sliding } from "../pool/windows";

/** The first window with tap t on the axis, and the one behind the last. */
@inline
function firstWindow(axis: Sliding, t: i32): i32 {
  const before = axis.padding - t * axis.dilation;
  return before <= 0 ? 0 : min((before + axis.stride - 1) / axis.stride, axis.windows);
}
@inline
function endWindow(axis: Sliding, t: i32): i32 {
  const room = axis.size - 1 - t * axis.dilation + axis.padding;
  return room < 0 ? 0 : min(room / axis.stride + 1, axis.windows);
}

/** Where tap t of window o lies. */
@inline
function placeOf(axis: Sliding, o: i32, t: i32): i32 {
  return axis.start(o) + t * axis.dilation;
}

/** n elements of a row of x, `step` bytes apart, side by side. */
@final
@unmanaged
class Take {
  @inline edges(): bool {
    return true;
  }
  @inline row(x: usize, y: usize, n: i32, step: usize): void {
    if (step == 4) copyRow<u32>(y, x, n);
    else for (; n > 0; n--, x += step, y += 4) store<f32>(y, load<f32>(x));
  }
}

/** Their gradients, added to what is there. */
@final
@unmanaged
class Give {
  @inline edges(): bool {
    return false;
  }
  @inline row(x: usize, y: usize, n: i32, step: usize): void {
    if (step == 4) mapRow<Add>(x, x, y, 0, 0, n);
    else for (; n > 0; n--, x += step, y += 4) store<f32>(x, load<f32>(x) + load<f32>(y));
  }
}

/** All taps of the windows of `planes` planes, row by row. */
@inline
function walk<M>(x: usize, y: usize, planes: i32, dims: usize): void {
  const m = changetype<M>(0);
  const rows = changetype<Sliding>(dims),
    cols = changetype<Sliding>(dims + AXIS);
  const line = (<usize>cols.size) << 2,
    out = (<usize>cols.windows) << 2,
    step = (<usize>cols.stride) << 2;
  for (; planes > 0; planes--, x += <usize>rows.size * line) {
    for (let i = 0; i < rows.kernel; i++) {
      for (let j = 0; j < cols.kernel; j++) {
        const from = firstWindow(cols, j),
          n = endWindow(cols, j) - from,
          before = (<usize>from) << 2,
          behind = out - before - ((<usize>max(n, 0)) << 2);
        for (let o = 0; o < rows.windows; o++, y += out) {
          const r = placeOf(rows, o, i),
            some = <u32>r < <u32>rows.size && n > 0;
          if (m.edges()) {
            memory.fill(y, 0, some ? before : out);
            if (some) memory.fill(y + out - behind, 0, behind);
          }
          if (some) m.row(x + <usize>r * line + ((<usize>placeOf(cols, from, j)) << 2), y + before, n, step);
        }
      }
    }
  }
}

/** y = the windows of x as columns (torch.nn.functional.unfold). */
export function im2col_f32(y: usize, x: usize, planes: i32, dims: usize): void {
  walk<Take>(x, y, planes, dims);
}

/** x = the sum of what all windows have at an element (torch.nn.functional.fold): reverses im2col_f32. */
export function col2im_f32(x: usize, y: usize, planes: i32, dims: usize): void {
  const plane = changetype<Sliding>(dims).size * changetype<Sliding>(dims + AXIS).size;
  memory.fill(x, 0, <usize>planes * ((<usize>plane) << 2));
  walk<Give>(x, y, planes, dims);
}
