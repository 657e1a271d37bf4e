// Average pooling backward (forward: average.ts): dx[planes, h, w] from g[planes, outH, outW]. dx is overwritten and
// may not be g.
import { loadLanes, storeLanes } from "../lanes";
import { across, fill, LINES_BYTES, Lines, MOST_WINDOWS } from "./lines";
import { blockOf } from "./scan";
import { thirds1, thirds2, thirdsStride } from "./thirds";
import { Adaptive, AXIS, countsPadding, fixedDivisor, Sliding, shareOf } from "./windows";

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
  for (; planes > 0; planes--, dx += (<usize>n) << 2, g += 4) fill(dx, load<f32>(g) * share, n);
}

/** Element by element, where some have more windows than lines hold. */
function gatherEach(dx: usize, g: usize, planes: i32, dims: usize): void {
  const rows = changetype<Sliding>(dims),
    cols = changetype<Sliding>(dims + AXIS);
  const pads = countsPadding(dims),
    fixed = fixedDivisor(dims);
  for (; planes > 0; planes--, g += (<usize>(rows.windows * cols.windows)) << 2) {
    for (let y = 0; y < rows.size; y++) {
      const below = min((y + rows.padding) / rows.stride, rows.windows - 1);
      for (let x = 0; x < cols.size; x++, dx += 4) {
        const right = min((x + cols.padding) / cols.stride, cols.windows - 1);
        let sum: f32 = 0;
        for (let i = below; i >= 0 && rows.start(i) + rows.kernel > y; i--)
          for (let o = right; o >= 0 && cols.start(o) + cols.kernel > x; o--)
            sum +=
              load<f32>(g + ((<usize>(i * cols.windows + o)) << 2)) *
              shareOf(fixed, rows.divisor(i, pads), cols.divisor(o, pads));
        store<f32>(dx, sum);
      }
    }
  }
}

/** Whether one window holds an axis, and nothing else. */
@inline
function isWhole(axis: Sliding): bool {
  return axis.windows == 1 && axis.padding == 0 && axis.kernel == axis.size;
}

/** The columns of the lines, in all rows of some planes. */
function gatherBlock(dx: usize, g: usize, planes: i32, lines: Lines, dims: usize): void {
  const rows = changetype<Sliding>(dims),
    cols = changetype<Sliding>(dims + AXIS);
  const pads = countsPadding(dims),
    fixed = fixedDivisor(dims),
    columns = lines.hasShares ? 1 : cols.kernel,
    step = (<usize>cols.windows) << 2;
  let firstBefore = -1,
    countBefore = 0;
  for (let y = 0; y < rows.size; y++, dx += (<usize>cols.size) << 2) {
    const below = (y + rows.padding) / rows.stride,
      above = below - (rows.kernel - 1) / rows.stride;
    const first = max(rows.start(above) + rows.kernel > y ? above : above + 1, 0),
      count = min(below, rows.windows - 1) - first + 1;
    // Rows of the same windows have the same sums.
    if (first != firstBefore || count != countBefore) {
      let at = lines.rowShares();
      for (let i = 0; i < count; i++, at += 4)
        store<f32>(at, 1 / <f32>(fixed ? fixed : rows.divisor(first + i, pads) * columns));
      if (count > 0) lines.down(g + <usize>first * step, planes, count, step);
      else memory.fill(lines.sums(), 0, <usize>planes * lines.line);
      firstBefore = first;
      countBefore = count;
    }
    across(dx, planes, lines, cols);
  }
}

/**
 * Reverses avg_pool_forward_f32: dx = the sum of g / divisor over the windows that hold the element. workspace:
 * gemm_workspace_bytes() bytes.
 */
export function avg_pool_backward_f32(dx: usize, g: usize, planes: i32, workspace: usize, dims: usize): void {
  const rows = changetype<Sliding>(dims),
    cols = changetype<Sliding>(dims + AXIS);
  const pads = countsPadding(dims),
    fixed = fixedDivisor(dims),
    h = rows.size,
    w = cols.size;
  if (isWhole(rows) && isWhole(cols)) {
    fillPlanes(dx, g, planes, h * w, shareOf(fixed, rows.kernel, cols.kernel));
    return;
  }
  const thirds = thirdsStride(dims);
  if (thirds == 1) {
    thirds1(dx, g, planes, dims);
    return;
  }
  if (thirds == 2) {
    thirds2(dx, g, planes, dims);
    return;
  }
  if (max(rows.kernel / rows.stride, cols.kernel / cols.stride) >= MOST_WINDOWS) {
    gatherEach(dx, g, planes, dims);
    return;
  }
  const lines = changetype<Lines>(workspace),
    step = (<usize>cols.windows) << 2;
  lines.plane = (<usize>h * w) << 2;
  lines.out = <usize>rows.windows * step;
  lines.hasShares = !fixed && !cols.alike(pads);
  const all = (w - 1 + cols.padding) / cols.stride + 1;
  for (let q = cols.padding / cols.stride; q < all; q = lines.end) {
    lines.start(q, all, cols, pads);
    // More planes than elsewhere: what their rows share is worth more than the first cache.
    const most = min(blockOf(planes, lines.plane >> 3), <i32>max<usize>(LINES_BYTES / lines.line, 1));
    memory.fill(lines.sums(), 0, <usize>most * lines.line);
    for (let n: i32 = 0; n < planes; n += most) {
      const block = <usize>n;
      gatherBlock(dx + block * lines.plane, g + block * lines.out, min(most, planes - n), lines, dims);
    }
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
