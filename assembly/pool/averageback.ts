// Average pooling backward (forward: average.ts): dx[planes, h, w] from g[planes, outH, outW]. dx is overwritten and
// may not be g.
import { loadLanes, madd, storeLanes } from "../lanes";
import { blockOf } from "./scan";
import { Adaptive, AXIS, countsPadding, fixedDivisor, Sliding, shareOf } from "./windows";

/** n elements at p = v, the same in all lanes. */
@inline
function fill(p: usize, v: v128, n: i32): void {
  for (; n >= 4; n -= 4, p += 16) v128.store(p, v);
  if (n > 0) storeLanes(p, v, n);
}

/** n elements at p += v, the same in all lanes. */
@inline
function add(p: usize, v: v128, n: i32): void {
  for (; n > 0; n -= 4, p += 16) {
    const lanes = min(n, 4);
    storeLanes(p, f32x4.add(loadLanes(p, lanes), v), lanes);
  }
}

/** Planes of one window, which holds all of them: each is its gradient's share everywhere. */
function fillPlanes(dx: usize, g: usize, planes: i32, n: i32, share: f32): void {
  for (; planes > 0; planes--, dx += (<usize>n) << 2, g += 4) fill(dx, f32x4.splat(load<f32>(g) * share), n);
}

// Backward gathers: every element of dx sums over its windows. With c + padding = q * stride + t, t < stride, column c
// lies in the windows q, q
// - 1, ...: for t < rest in 1 + more of them, more = (kernel - 1) / stride, and from there in one less. So the columns
// of one q have two values, `high` and `low`, and neighbouring q's find theirs in neighbouring lanes of g.

/** The columns of four q's at p: `rest` times high, then low, `stride` in all, lane after lane. */
@inline
function spread(p: usize, high: v128, low: v128, stride: i32, rest: i32): void {
  if (stride == 1) v128.store(p, high);
  else if (stride == 2) {
    const odd = rest == 2 ? high : low;
    v128.store(p, v128.shuffle<i32>(high, odd, 0, 4, 1, 5));
    v128.store(p, v128.shuffle<i32>(high, odd, 2, 6, 3, 7), 16);
  } else {
    const turn = (<usize>rest) << 2;
    for (let l = 0; l < 4; l++, p += (<usize>stride) << 2) {
      const h = v128.shuffle<i32>(high, high, 0, 0, 0, 0),
        k = v128.shuffle<i32>(low, low, 0, 0, 0, 0);
      if (l < 3) {
        // What is too much the next lane overwrites.
        for (let t: usize = 0; t < turn; t += 16) v128.store(p + t, h);
        for (let t = turn; t < (<usize>stride) << 2; t += 16) v128.store(p + t, k);
      } else {
        fill(p, h, rest);
        fill(p + turn, k, stride - rest);
      }
      high = v128.shuffle<i32>(high, high, 1, 2, 3, 0);
      low = v128.shuffle<i32>(low, low, 1, 2, 3, 0);
    }
  }
}

// Windows along a row: the usual ones, whose steps are known, and any (0).
@final
@unmanaged
class Halves {
  @inline kernel(): i32 {
    return 2;
  }
  @inline stride(): i32 {
    return 2;
  }
}
@final
@unmanaged
class OverlappingHalves {
  @inline kernel(): i32 {
    return 3;
  }
  @inline stride(): i32 {
    return 2;
  }
}
@final
@unmanaged
class Triples {
  @inline kernel(): i32 {
    return 3;
  }
  @inline stride(): i32 {
    return 1;
  }
}
@final
@unmanaged
class AnyRow {
  @inline kernel(): i32 {
    return 0;
  }
  @inline stride(): i32 {
    return 0;
  }
}

/**
 * The columns of n q's of a row of dx, from the first of them, out of rows first to last of g: windows of all of them
 * have kernel counted columns. `share` is 1 / divisor where the rows count alike.
 */
function gatherAcross<K>(
  dx: usize,
  g: usize,
  planes: i32,
  plane: usize,
  out: usize,
  n: i32,
  first: i32,
  last: i32,
  line: usize,
  dims: usize,
  share: f32,
  alike: bool,
): void {
  const k = changetype<K>(0);
  const rows = changetype<Sliding>(dims),
    cols = changetype<Sliding>(dims + AXIS);
  const pads = countsPadding(dims),
    fixed = fixedDivisor(dims);
  const kernel = k.kernel() ? k.kernel() : cols.kernel,
    stride = k.stride() ? k.stride() : cols.stride;
  const more = (kernel - 1) / stride,
    rest = kernel - more * stride,
    lane = (<usize>stride) << 2;
  for (; planes > 0; planes--, dx += plane, g += out) {
    for (let q = 0; q < n; q += 4) {
      if (q + 4 > n) q = n - 4;
      let low = f32x4.splat(0),
        high = low,
        scale = f32x4.splat(share);
      let row = g + ((<usize>q) << 2);
      for (let i = first; i <= last; i++, row += line) {
        if (!alike) scale = f32x4.splat(shareOf(fixed, rows.divisor(i, pads), kernel));
        if (more > 0) low = madd(v128.load(row), scale, low);
        if (more > 1) low = madd(v128.load(row - 4), scale, low);
        let p = row - ((<usize>more) << 2);
        if (more > 2) for (let q = p + 4; q < row - 4; q += 4) low = madd(v128.load(q), scale, low);
        high = madd(v128.load(p), scale, high);
      }
      spread(dx + <usize>q * lane, more ? f32x4.add(low, high) : high, low, stride, rest);
    }
  }
}

/** The same, with the kernels and strides that are common known when it is compiled. */
function gatherRow(
  dx: usize,
  g: usize,
  planes: i32,
  plane: usize,
  out: usize,
  n: i32,
  first: i32,
  last: i32,
  line: usize,
  dims: usize,
  share: f32,
  alike: bool,
): void {
  const cols = changetype<Sliding>(dims + AXIS);
  const kernel = cols.kernel,
    stride = cols.stride;
  if (kernel == 2 && stride == 2) {
    gatherAcross<Halves>(dx, g, planes, plane, out, n, first, last, line, dims, share, alike);
  } else if (kernel == 3 && stride == 2) {
    gatherAcross<OverlappingHalves>(dx, g, planes, plane, out, n, first, last, line, dims, share, alike);
  } else if (kernel == 3 && stride == 1) {
    gatherAcross<Triples>(dx, g, planes, plane, out, n, first, last, line, dims, share, alike);
  } else gatherAcross<AnyRow>(dx, g, planes, plane, out, n, first, last, line, dims, share, alike);
}

/** A lane of v, n times over, in a row of each of four planes. */
@inline
function spreadPlanes(p: usize, plane: usize, v: v128, n: i32): void {
  for (; n > 0; n--, p += 4) {
    v128.store32_lane(p, v, 0);
    v128.store32_lane(p + plane, v, 1);
    v128.store32_lane(p + 2 * plane, v, 2);
    v128.store32_lane(p + 3 * plane, v, 3);
  }
}

/** The columns of one q of a row of dx, all from their start; lanes are planes. `alike`: all its windows are. */
function gatherAlone(
  dx: usize,
  g: usize,
  planes: i32,
  plane: usize,
  out: usize,
  q: i32,
  first: i32,
  last: i32,
  line: usize,
  dims: usize,
  more: i32,
  share: f32,
  alike: bool,
): void {
  const rows = changetype<Sliding>(dims),
    cols = changetype<Sliding>(dims + AXIS);
  const pads = countsPadding(dims),
    fixed = fixedDivisor(dims);
  const start = cols.start(q),
    turn = min(start + cols.kernel - more * cols.stride, cols.size);
  const end = min(start + cols.stride, cols.size);
  const from = max(q - more, 0),
    to = min(q, cols.windows - 1);
  dx += (<usize>max(start, 0)) << 2;
  g += (<usize>from) << 2;
  const highs = turn - max(start, 0),
    at = max(highs, 0),
    lows = end - max(start, 0) - at,
    behind = (<usize>at) << 2;
  for (; planes >= 4; planes -= 4, dx += plane << 2, g += out << 2) {
    let low = f32x4.splat(0),
      high = low,
      row = g;
    for (let i = first; i <= last; i++, row += line) {
      let p = row;
      for (let o = from; o <= to; o++, p += 4) {
        const s = alike ? share : shareOf(fixed, rows.divisor(i, pads), cols.divisor(o, pads));
        const two = v128.load32_lane(p + out, v128.load32_zero(p), 1);
        const four = v128.load32_lane(p + 3 * out, v128.load32_lane(p + 2 * out, two, 2), 3);
        const term = f32x4.mul(four, f32x4.splat(s));
        if (o == q - more) high = f32x4.add(high, term);
        else low = f32x4.add(low, term);
      }
    }
    spreadPlanes(dx, plane, f32x4.add(low, high), highs);
    spreadPlanes(dx + behind, plane, low, lows);
  }
  for (; planes > 0; planes--, dx += plane, g += out) {
    let low: f32 = 0,
      high: f32 = 0,
      row = g;
    for (let i = first; i <= last; i++, row += line) {
      let p = row;
      for (let o = from; o <= to; o++, p += 4) {
        const term = load<f32>(p) * (alike ? share : shareOf(fixed, rows.divisor(i, pads), cols.divisor(o, pads)));
        if (o == q - more) high += term;
        else low += term;
      }
    }
    if (highs > 0) fill(dx, f32x4.splat(low + high), highs);
    fill(dx + behind, f32x4.splat(low), lows);
  }
}

/** Whether one window holds an axis, and nothing else. */
@inline
function isWhole(axis: Sliding): bool {
  return axis.windows == 1 && axis.padding == 0 && axis.kernel == axis.size;
}

/** Reverses avg_pool_forward_f32: dx = the sum of g / divisor over the windows that hold the element. */
export function avg_pool_backward_f32(dx: usize, g: usize, planes: i32, dims: usize): void {
  const rows = changetype<Sliding>(dims),
    cols = changetype<Sliding>(dims + AXIS);
  const pads = countsPadding(dims),
    fixed = fixedDivisor(dims);
  const h = rows.size,
    w = cols.size,
    stride = cols.stride,
    line = (<usize>cols.windows) << 2;
  const plane = (<usize>h * w) << 2,
    out = <usize>rows.windows * line;
  const kernel = cols.kernel,
    more = (kernel - 1) / stride,
    moreRows = (rows.kernel - 1) / rows.stride;
  const share = shareOf(fixed, rows.kernel, kernel);
  if (isWhole(rows) && isWhole(cols)) {
    fillPlanes(dx, g, planes, h * w, share);
    return;
  }
  const alikeRows = fixed || rows.alike(pads),
    alikeCols = fixed || cols.alike(pads);
  const wholeFrom = alikeRows ? 0 : rows.wholeFrom(),
    wholeTo = alikeRows ? rows.windows : rows.wholeTo();
  // The q's of a row, and those of them that have all their columns, and windows of which all exist and count as many
  // columns.
  const start = cols.padding / stride,
    end = (w - 1 + cols.padding) / stride + 1;
  const from = (alikeCols ? (cols.padding + stride - 1) / stride : cols.wholeFrom()) + more;
  const n = min(alikeCols ? cols.windows : cols.wholeTo(), (w + cols.padding) / stride) - from;
  while (planes > 0) {
    const some = blockOf(planes, plane);
    let to = dx;
    for (let y = 0; y < h; y++, to += (<usize>w) << 2) {
      const down = (y + rows.padding) / rows.stride,
        above = down - moreRows;
      const first = max(rows.start(above) + rows.kernel > y ? above : above + 1, 0),
        last = min(down, rows.windows - 1);
      const row = g + <usize>first * line;
      const alike = first >= wholeFrom && last < wholeTo;
      for (let q = start; q < end; ) {
        if (q == from && n >= 4) {
          const p = to + ((<usize>cols.start(q)) << 2),
            from = row + ((<usize>q) << 2);
          gatherRow(p, from, some, plane, out, n, first, last, line, dims, share, alike);
          q += n;
        } else {
          gatherAlone(to, row, some, plane, out, q, first, last, line, dims, more, share, alike && alikeCols);
          q++;
        }
      }
    }
    planes -= some;
    dx += <usize>some * plane;
    g += <usize>some * out;
  }
}

/** Reverses adaptive_avg_pool_forward_f32: each window, in order, adds g / its size to each of its elements. */
export function adaptive_avg_pool_backward_f32(dx: usize, g: usize, planes: i32, dims: usize): void {
  const rows = changetype<Adaptive>(dims),
    cols = changetype<Adaptive>(dims + AXIS);
  const line = (<usize>cols.size) << 2,
    plane = <usize>rows.size * line,
    out = (<usize>rows.windows * cols.windows) << 2;
  if (rows.windows == 1 && cols.windows == 1) {
    fillPlanes(dx, g, planes, rows.size * cols.size, shareOf(0, rows.size, cols.size));
    return;
  }
  while (planes > 0) {
    const some = blockOf(planes, plane);
    memory.fill(dx, 0, <usize>some * plane);
    let from = g;
    for (let i = 0; i < rows.windows; i++) {
      const r = rows.count(i),
        top = dx + <usize>rows.first(i) * line;
      for (let o = 0; o < cols.windows; o++, from += 4) {
        const c = cols.count(o),
          share = shareOf(0, r, c);
        let to = top + ((<usize>cols.first(o)) << 2),
          at = from;
        for (let k = some; k > 0; k--, to += plane, at += out) {
          const v = f32x4.splat(load<f32>(at) * share);
          for (let j = 0, p = to; j < r; j++, p += line) add(p, v, c);
        }
      }
    }
    planes -= some;
    dx += <usize>some * plane;
    g += <usize>some * out;
  }
}
