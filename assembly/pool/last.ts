// Pooling of channels-last images and volumes: x[batch, ...sizes, channels] into y[batch, ...windows, channels],
// contiguous f32, where a vector holds neighbouring channels of a pixel; forward beside backward. As TensorFlow.js
// pools: a maximum passes over NaN, a mean counts no padding, and the mean's gradient divides by the size of the whole
// window.
//
// dims: i32 [batch, channels, three axes as they lie in Sliding, volume], undilated. Windows may lie off the image
// altogether. `volume`, 0 or 1: of equal elements the last is the greatest, not the first, and a mean of none is 0.
import { Four, One } from "../gemm/vectors";
import { select } from "../lanes";
import { AXIS, Sliding } from "./windows";

/** A window: its elements, from the first (or the last) of them on the image, and its result. */
@final
@unmanaged
class Place {
  from: usize;
  to: usize;
  planes: i32;
  rows: i32;
  columns: i32;
  // Bytes from behind a row to the next one, from behind the last row of a plane to the next plane, and from
  // pixel to pixel.
  planeSkip: usize;
  rowSkip: usize;
  pixel: usize;
  channels: i32;
  /** What a mean divides by, or a gradient is multiplied with. */
  share: f32;
  /** Bytes from an element of y to that of the indices. */
  toShift: usize;
  /** Where the image starts. */
  image: usize;
}

// An op goes through the elements of a window for some channels: a = start(), a = step(a, v, ...) for each element v at
// q, finish(a). known() is what it knows of the result, and places() whether it notes where the greatest element is.

/** The greatest element, or -Infinity. */
@final
@unmanaged
class Largest {
  @inline places(): bool {
    return false;
  }
  @inline start(): v128 {
    return f32x4.splat(-Infinity);
  }
  @inline known<_W>(p: Place, to: usize): v128 {
    return this.start();
  }
  @inline step<_W>(a: v128, v: v128, g: v128, q: usize): v128 {
    return f32x4.pmax(a, v);
  }
  @inline finish<W>(p: Place, a: v128, at: v128, to: usize): void {
    changetype<W>(0).store(to, a);
  }
}

/** Likewise, and where it is, counted from the image: the first of equals; -1 where there is none. */
@final
@unmanaged
class LargestPlace {
  @inline places(): bool {
    return true;
  }
  @inline start(): v128 {
    return f32x4.splat(-Infinity);
  }
  @inline known<_W>(p: Place, to: usize): v128 {
    return this.start();
  }
  @inline step<_W>(a: v128, v: v128, g: v128, q: usize): v128 {
    return f32x4.pmax(a, v);
  }
  @inline finish<W>(p: Place, a: v128, at: v128, to: usize): void {
    changetype<W>(0).store(to, a);
    changetype<W>(0).store(to + p.toShift, at);
  }
}

/** The mean. */
@final
@unmanaged
class Mean {
  @inline places(): bool {
    return false;
  }
  @inline start(): v128 {
    return f32x4.splat(0);
  }
  @inline known<_W>(p: Place, to: usize): v128 {
    return this.start();
  }
  @inline step<_W>(a: v128, v: v128, g: v128, q: usize): v128 {
    return f32x4.add(a, v);
  }
  @inline finish<W>(p: Place, a: v128, at: v128, to: usize): void {
    changetype<W>(0).store(to, f32x4.div(a, f32x4.splat(p.share)));
  }
}

/** Adds a share of the gradient to each element. */
@final
@unmanaged
class MeanBackward {
  @inline places(): bool {
    return false;
  }
  @inline start(): v128 {
    return f32x4.splat(0);
  }
  @inline known<W>(p: Place, to: usize): v128 {
    return f32x4.mul(changetype<W>(0).load(to), f32x4.splat(p.share));
  }
  @inline step<W>(a: v128, v: v128, g: v128, q: usize): v128 {
    changetype<W>(0).store(q, f32x4.add(v, g));
    return a;
  }
  @inline finish<_W>(p: Place, a: v128, at: v128, to: usize): void {}
}

/** Where the greatest element is: it was a at `at`, and now comes v, so many bytes from the image. */
@inline
function placed(at: v128, a: v128, v: v128, bytes: usize): v128 {
  const here = i32x4.add(i32x4.splat(<i32>(bytes >> 2)), i32x4(0, 1, 2, 3));
  return v128.bitselect(here, at, f32x4.gt(v, a));
}

/** The window for channels c .. end, `bytes` at a time. */
@inline
function through<F, W>(p: Place, c: usize, end: usize, bytes: usize): void {
  const f = changetype<F>(0),
    w = changetype<W>(0);
  const planes = p.planes,
    rows = p.rows,
    columns = p.columns,
    planeSkip = p.planeSkip,
    rowSkip = p.rowSkip,
    pixel = p.pixel,
    image = p.image;
  const square = planes == 1 && rows == 2 && columns == 2;
  // From an element of a square to those beside and below it.
  const right = i32x4.splat(<i32>pixel >> 2),
    below = i32x4.splat((2 * <i32>pixel + <i32>rowSkip) >> 2);
  for (; c < end; c += bytes) {
    const to = p.to + c;
    const g: v128 = f.known<W>(p, to);
    let a: v128 = f.start(),
      at = i32x4.splat(-1),
      q = p.from + c;
    if (square) {
      // The window of most nets, without loops.
      const r = q + 2 * pixel + rowSkip;
      if (f.places()) {
        const none = f.start(),
          v1: v128 = w.load(q + pixel),
          v2: v128 = w.load(r),
          v3: v128 = w.load(r + pixel);
        a = f32x4.pmax(none, w.load(q));
        let t = f32x4.gt(v1, a);
        at = v128.and(t, right);
        a = f32x4.pmax(a, v1);
        t = f32x4.gt(v2, a);
        at = select(t, below, at);
        a = f32x4.pmax(a, v2);
        t = f32x4.gt(v3, a);
        at = select(t, i32x4.add(right, below), at);
        a = f32x4.pmax(a, v3);
        const here = i32x4.add(i32x4.splat(<i32>((q - image) >> 2)), i32x4(0, 1, 2, 3));
        at = select(f32x4.gt(a, none), i32x4.add(at, here), i32x4.splat(-1));
      } else {
        a = f.step<W>(a, w.load(q), g, q);
        a = f.step<W>(a, w.load(q + pixel), g, q + pixel);
        a = f.step<W>(a, w.load(r), g, r);
        a = f.step<W>(a, w.load(r + pixel), g, r + pixel);
      }
      f.finish<W>(p, a, at, to);
      continue;
    }
    for (let i = planes; i > 0; i--, q += planeSkip) {
      for (let j = rows; j > 0; j--, q += rowSkip) {
        for (let k = columns; k > 0; k--, q += pixel) {
          const v: v128 = w.load(q);
          if (f.places()) at = placed(at, a, v, q - image);
          a = f.step<W>(a, v, g, q);
        }
      }
    }
    f.finish<W>(p, a, at, to);
  }
}

function window<F>(p: Place): void {
  const end = (<usize>p.channels) << 2,
    vectorEnd = end & ~15;
  through<F, Four>(p, 0, vectorEnd, 16);
  through<F, One>(p, vectorEnd, end, 4);
}

/** What windows are gone through for. */
enum Mode {
  MAX = 0,
  MAX_PLACE = 1,
  MEAN = 2,
  MEAN_BACKWARD = 3,
}

/** Elements of window o on the axis: there may be none. */
@inline
function on(axis: Sliding, o: i32): i32 {
  return max(axis.count(o), 0);
}

/** The window of p, for what `mode` says. */
function visit(mode: Mode, p: Place): void {
  if (mode == Mode.MAX) window<Largest>(p);
  else if (mode == Mode.MAX_PLACE) window<LargestPlace>(p);
  else if (mode == Mode.MEAN) window<Mean>(p);
  else window<MeanBackward>(p);
}

/**
 * Makes p the window j of row i of plane z, whose elements are `row` and `plane` bytes apart, in order or backwards.
 */
@inline
function find(p: Place, dims: usize, z: i32, i: i32, j: i32, row: usize, plane: usize, backwards: bool): void {
  const d = changetype<Sliding>(dims + 8),
    h = changetype<Sliding>(dims + 8 + AXIS),
    w = changetype<Sliding>(dims + 8 + 2 * AXIS);
  const pixel = (<usize>p.channels) << 2,
    rows = on(h, i),
    columns = on(w, j),
    planes = rows * columns > 0 ? on(d, z) : 0;
  p.planes = planes;
  p.rows = rows;
  p.columns = columns;
  p.from = p.image + <usize>d.first(z) * plane + <usize>h.first(i) * row + <usize>w.first(j) * pixel;
  p.pixel = pixel;
  p.rowSkip = row - <usize>columns * pixel;
  p.planeSkip = plane - <usize>rows * row;
  if (!backwards || planes == 0) return;
  // From the last element.
  p.from += <usize>(planes - 1) * plane + <usize>(rows - 1) * row + <usize>(columns - 1) * pixel;
  p.pixel = -pixel;
  p.rowSkip = -p.rowSkip;
  p.planeSkip = -p.planeSkip;
}

/** Goes through all windows of x and their results from `to` on. */
function scanLast(mode: Mode, x: usize, to: usize, p: Place, dims: usize): void {
  const batch = load<i32>(dims);
  const d = changetype<Sliding>(dims + 8),
    h = changetype<Sliding>(dims + 8 + AXIS),
    w = changetype<Sliding>(dims + 8 + 2 * AXIS);
  const volume = load<i32>(dims, 8 + 3 * AXIS);
  p.channels = load<i32>(dims, 4);
  p.to = to;
  p.image = x;
  const pixel = (<usize>p.channels) << 2,
    row = pixel * <usize>w.size,
    plane = row * <usize>h.size;
  const from = w.wholeFrom(),
    end = w.wholeTo(),
    stride = <usize>w.stride * pixel;
  const whole: f32 = 1 / <f32>(d.kernel * h.kernel * w.kernel);
  for (let n = 0; n < batch; n++, p.image += plane * <usize>d.size)
    for (let z = 0; z < d.windows; z++)
      for (let i = 0; i < h.windows; i++)
        for (let j = 0; j < w.windows; j++) {
          // Behind a window with all its columns the next one such lies a stride further.
          if (j > from && j < end) p.from += stride;
          else {
            find(p, dims, z, i, j, row, plane, volume != 0);
            p.share = mode == Mode.MEAN_BACKWARD ? whole : <f32>max(p.planes * p.rows * p.columns, volume);
          }
          visit(mode, p);
          p.to += pixel;
        }
}

/**
 * y = the greatest element of each window (TensorFlow's max_pool). index: 0, or where in its image each y stands (i32),
 * or -1 where a window has none (max_pool_with_argmax). workspace: 96 bytes. Overwrites. Reversed by
 * max_pool_backward_f32, the planes being whole images.
 */
export function max_pool_last_forward_f32(y: usize, index: usize, x: usize, workspace: usize, dims: usize): void {
  const p = changetype<Place>(workspace);
  p.toShift = index - y;
  scanLast(index ? Mode.MAX_PLACE : Mode.MAX, x, y, p, dims);
}

/** y = the mean of each window (TensorFlow's avg_pool). Otherwise as max_pool_last_forward_f32. */
export function avg_pool_last_forward_f32(y: usize, x: usize, workspace: usize, dims: usize): void {
  scanLast(Mode.MEAN, x, y, changetype<Place>(workspace), dims);
}

/** Bytes of x. */
function bytesOf(dims: usize): usize {
  let elements = load<i32>(dims) * load<i32>(dims, 4);
  for (let i: usize = 0; i < 3; i++) elements *= changetype<Sliding>(dims + 8 + i * AXIS).size;
  return (<usize>elements) << 2;
}

/** Reverses avg_pool_last_forward_f32 as TensorFlow.js does: dx = the sum of g / size over windows. Overwrites. */
export function avg_pool_last_backward_f32(dx: usize, g: usize, workspace: usize, dims: usize): void {
  memory.fill(dx, 0, bytesOf(dims));
  scanLast(Mode.MEAN_BACKWARD, dx, g, changetype<Place>(workspace), dims);
}
