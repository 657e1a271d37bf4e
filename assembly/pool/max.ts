// Max pooling over the last two axes of x[planes, h, w] into y[planes, outH, outW], contiguous f32, forward beside
// backward. Pooling of one axis has h = 1. `dims` holds the axes as they lie in Sliding, the rows (h) first, and two
// zeros. Outputs are overwritten and may not alias inputs.
import { blockOf, scan } from "./scan";
import { Adaptive, Apart, Sliding } from "./windows";

/** The window's greatest element, and where it lies in the plane. Places count from the window's first element. */
@final
@unmanaged
class Largest {
  @inline places(): bool {
    return true;
  }
  @inline start(): v128 {
    return f32x4.splat(-Infinity);
  }
  /** Where v, which comes after a, takes its place: of equals the first one stays, of NaNs the last. */
  @inline takes(a: v128, v: v128): v128 {
    return v128.or(f32x4.gt(v, a), f32x4.ne(v, v));
  }
  @inline combine(a: v128, v: v128): v128 {
    return v128.or(f32x4.pmax(a, v), f32x4.ne(v, v));
  }
  /** `here` where it is taken: what comes later has a higher place. */
  @inline place(at: v128, here: v128, taken: v128): v128 {
    return i32x4.max_s(at, v128.and(here, taken));
  }
  @inline finish(a: v128, divisor: v128): v128 {
    return a;
  }

  /** Where b at i takes the place of a at j, whichever comes first. */
  @inline beats(b: v128, i: v128, a: v128, j: v128): v128 {
    const nan = v128.and(f32x4.ne(b, b), v128.or(f32x4.eq(a, a), i32x4.gt_s(i, j)));
    const tie = v128.and(f32x4.eq(b, a), i32x4.lt_s(i, j));
    return v128.or(v128.or(f32x4.gt(b, a), tie), nan);
  }

  /** Lanes are columns, two vectors of them at a time, and are joined at the end. */
  @inline alone(y: usize, index: usize, x: usize, r: i32, c: i32, width: i32, place: i32, divisor: f32): void {
    const four = i32x4.splat(4),
      below = i32x4.splat(width);
    let a = this.start(),
      b = a,
      at = i32x4.splat(0),
      bt = at,
      row = i32x4(0, 1, 2, 3);
    for (; r > 0; r--, x += (<usize>width) << 2, row = i32x4.add(row, below)) {
      let p = x,
        here = row,
        left = c;
      for (; left >= 8; left -= 8, p += 32) {
        const v = v128.load(p),
          w = v128.load(p, 16);
        at = this.place(at, here, this.takes(a, v));
        a = this.combine(a, v);
        here = i32x4.add(here, four);
        bt = this.place(bt, here, this.takes(b, w));
        b = this.combine(b, w);
        here = i32x4.add(here, four);
      }
      for (; left > 0; left -= 4, p += 16, here = i32x4.add(here, four)) {
        const v = left >= 4 ? v128.load(p) : changetype<Apart>(0).one(p, 4, left, this.start());
        at = this.place(at, here, this.takes(a, v));
        a = this.combine(a, v);
      }
    }
    let taken = this.beats(b, bt, a, at);
    a = v128.bitselect(b, a, taken);
    at = v128.bitselect(bt, at, taken);
    b = v128.shuffle<i32>(a, a, 2, 3, 0, 1);
    bt = v128.shuffle<i32>(at, at, 2, 3, 0, 1);
    taken = this.beats(b, bt, a, at);
    a = v128.bitselect(b, a, taken);
    at = v128.bitselect(bt, at, taken);
    b = v128.shuffle<i32>(a, a, 1, 0, 3, 2);
    bt = v128.shuffle<i32>(at, at, 1, 0, 3, 2);
    taken = this.beats(b, bt, a, at);
    v128.store32_lane(y, v128.bitselect(b, a, taken), 0);
    store<i32>(index, i32x4.extract_lane(v128.bitselect(bt, at, taken), 0) + place);
  }
}

/**
 * y = the greatest element of each window, index[planes, outH, outW] = where it lies in its plane (i32), the first of
 * equals; a NaN is greater than all, and the last of them counts (torch.nn.functional.max_pool2d with return_indices).
 */
export function max_pool_forward_f32(y: usize, index: usize, x: usize, planes: i32, dims: usize): void {
  scan<Largest, Sliding>(y, index, x, planes, dims);
}

/** As max_pool_forward_f32 over windows of uneven size (torch.nn.functional.adaptive_max_pool2d). */
export function adaptive_max_pool_forward_f32(y: usize, index: usize, x: usize, planes: i32, dims: usize): void {
  scan<Largest, Adaptive>(y, index, x, planes, dims);
}

/** Adds the gradient at g where its index is. */
@inline
function addAt(dx: usize, g: usize, index: usize, size: i32): void {
  const at = load<u32>(index);
  if (at >= <u32>size) return;
  const to = dx + ((<usize>at) << 2);
  store<f32>(to, load<f32>(to) + load<f32>(g));
}

/**
 * Reverses max_pool_forward_f32 and adaptive_max_pool_forward_f32: dx[p, index[p, i]] = the sum over i of g[p, i], in
 * their order, and 0 elsewhere, for dx[planes, size], g and index [planes, n]. An index outside of a plane has none.
 */
export function max_pool_backward_f32(dx: usize, g: usize, index: usize, planes: i32, size: i32, n: i32): void {
  const plane = (<usize>size) << 2,
    end = (<usize>n) << 2;
  while (planes > 0) {
    const some = blockOf(planes, plane);
    memory.fill(dx, 0, <usize>some * plane);
    for (let p = some; p > 0; p--, dx += plane, g += end, index += end) {
      let i: usize = 0;
      for (; i + 16 <= end; i += 16) {
        addAt(dx, g + i, index + i, size);
        addAt(dx, g + i + 4, index + i + 4, size);
        addAt(dx, g + i + 8, index + i + 8, size);
        addAt(dx, g + i + 12, index + i + 12, size);
      }
      for (; i < end; i += 4) addAt(dx, g + i, index + i, size);
    }
    planes -= some;
  }
}

/**
 * y[p, index[p, i]] = x[p, i] and 0 elsewhere, for y[planes, size], x and index [planes, n]
 * (torch.nn.functional.max_unpool2d); of equal places the last counts. Overwrites.
 */
export function max_unpool_f32(y: usize, x: usize, index: usize, planes: i32, size: i32, n: i32): void {
  const plane = (<usize>size) << 2,
    end = (<usize>n) << 2;
  memory.fill(y, 0, <usize>planes * plane);
  for (; planes > 0; planes--, y += plane, x += end, index += end) {
    for (let i: usize = 0; i < end; i += 4) store<f32>(y + ((<usize>load<u32>(index + i)) << 2), load<f32>(x + i));
  }
}
