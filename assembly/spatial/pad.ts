// Padding of neighbouring axes by elements of the axes themselves, in one pass, forward beside backward. `dims` =
// [elements of a sample of x, of y, mode, axes (two or more), then of each axis its size in x, in y, how far y begins
// ahead of x, or behind it where that is negative, and its strides in x and in y]. No position lies further outside
// than the mode reaches; the bindings see to that.

const REPLICATE: i32 = 1;
const CIRCULAR: i32 = 2;
/** Mirrored with the edge itself. */
const SYMMETRIC: i32 = 3;

/** The position of x that stands at j, which may be outside of [0, n): mirrored, that of the edge, or the next turn. */
@inline
function sourceOf(j: i32, n: i32, mode: i32): i32 {
  if (mode == REPLICATE) return max(min(j, n - 1), 0);
  if (mode == CIRCULAR) return j < 0 ? j + n : j >= n ? j - n : j;
  const edge = mode == SYMMETRIC ? 1 : 0;
  return j < 0 ? -j - edge : j >= n ? 2 * (n - 1) - j + edge : j;
}

// Forward goes from x to y, back from y into sums in x.

@inline
function moveOne(y: usize, x: usize, back: bool): void {
  if (back) store<f32>(x, load<f32>(x) + load<f32>(y));
  else store<u32>(y, load<u32>(x));
}

@inline
function moveRow(y: usize, x: usize, n: i32, back: bool): void {
  if (back) for (; n >= 4; n -= 4, y += 16, x += 16) v128.store(x, f32x4.add(v128.load(x), v128.load(y)));
  else for (; n >= 4; n -= 4, y += 16, x += 16) v128.store(y, v128.load(x));
  for (; n > 0; n--, y += 4, x += 4) moveOne(y, x, back);
}

/**
 * A sample of the axes whose numbers are at `dims`. The last two go in one function: a call a row would cost as much.
 */
function pad(y: usize, x: usize, axes: i32, dims: usize, mode: i32, back: bool): void {
  const n = load<i32>(dims),
    m = load<i32>(dims, 4),
    before = load<i32>(dims, 8),
    xStep = load<i32>(dims, 12),
    yStep = (<usize>load<i32>(dims, 16)) << 2;
  // Of the axis behind it.
  const size = load<i32>(dims, 20),
    padded = load<i32>(dims, 24),
    ahead = load<i32>(dims, 28),
    step = load<i32>(dims, 32),
    from = max(ahead, 0),
    end = min(size + ahead, padded);
  for (let j = 0; j < m; j++, y += yStep) {
    const row = x + ((<usize>(sourceOf(j - before, n, mode) * xStep)) << 2);
    if (axes > 2) {
      pad(y, row, axes - 1, dims + 20, mode, back);
      continue;
    }
    moveRow(
      y + ((<usize>(from * step)) << 2),
      row + ((<usize>((from - ahead) * step)) << 2),
      (end - from) * step,
      back,
    );
    for (let i = 0; i < padded; i++) {
      if (i == from) i = end;
      if (i == padded) break;
      let to = y + ((<usize>(i * step)) << 2),
        at = row + ((<usize>(sourceOf(i - ahead, size, mode) * step)) << 2);
      for (let left = step; left > 0; left--, to += 4, at += 4) moveOne(to, at, back);
    }
  }
}

@inline
function samples(y: usize, x: usize, outer: i32, dims: usize, back: bool): void {
  const xSlab = (<usize>load<i32>(dims)) << 2,
    ySlab = (<usize>load<i32>(dims, 4)) << 2;
  for (; outer > 0; outer--, y += ySlab, x += xSlab) {
    if (back) memory.fill(x, 0, xSlab);
    pad(y, x, load<i32>(dims, 12), dims + 16, load<i32>(dims, 8), back);
  }
}

/** Each element of y is the one of x that stands there (torch.nn.functional.pad), of any 4 bytes. Overwrites. */
export function pad_edge_forward_32(y: usize, x: usize, outer: i32, dims: usize): void {
  samples(y, x, outer, dims, false);
}

/** Reverses pad_edge_forward_32: each element of dx is the sum of those of g that were taken from it. Overwrites. */
export function pad_edge_backward_f32(dx: usize, g: usize, outer: i32, dims: usize): void {
  samples(g, dx, outer, dims, true);
}
