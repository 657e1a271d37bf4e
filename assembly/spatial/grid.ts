// Images looked at where a grid says: x[batch, channels, depth, height, width], grid[batch, points, axes] with the last
// axis of x first and coordinates from -1 to 1, y[batch, channels, points]. `dims` = [batch, channels, elements from
// image to image of x, and of y, points, axes (2, of a depth of 1, or 3), mode, padding, align, depth, height, width].
import { loadLanes, madd, storeLanes } from "../lanes";
import { blockFor, closeTable, cubic, cubicSlope, gatherFour, gatherTaps, scatterTaps, weightsAt } from "./taps";

const BILINEAR: i32 = 0;
const NEAREST: i32 = 1;
/** Of paddings: 0 is zeros, 1 the border. */
const REFLECTION: i32 = 2;

@final
@unmanaged
class Sampling {
  batch: i32;
  channels: i32;
  inImage: i32;
  outImage: i32;
  points: i32;
  axes: i32;
  mode: i32;
  padding: i32;
  align: i32;
  depth: i32;
  height: i32;
  width: i32;

  /** Elements that a point takes along each axis. */
  @inline along(): i32 {
    return this.mode == BILINEAR ? 2 : this.mode == NEAREST ? 1 : 4;
  }
  @inline taps(): i32 {
    const along = this.along();
    return this.axes == 2 ? along * along : along * along * along;
  }
  @inline plane(): usize {
    return ((<usize>this.depth * this.height) << 2) * this.width;
  }
  /** The size of an axis; the last is 0. */
  @inline size(axis: i32): i32 {
    return axis == 0 ? this.width : axis == 1 ? this.height : this.depth;
  }
}

/**
 * What a point takes along one axis: four positions (i32), their weights and how these change with the coordinate
 * (f64).
 */
const LOOK: usize = 80;
/** The looks of all axes, behind which the table begins. */
const LOOKS: usize = 256;

/** v mirrored at the edges of [0, size), as often as it takes; the sign says whether it was an odd number of times. */
function mirrored(v: f64, size: i32, align: bool): f64 {
  const low: f64 = align ? 0 : -0.5,
    span: f64 = align ? <f64>(size - 1) : <f64>size;
  if (span == 0) return 0;
  const far = Math.abs(v - low),
    turns = Math.floor(far / span),
    extra = far - turns * span;
  return (<i64>turns & 1 ? span - extra : extra) + low;
}

/** How mirrored() changes with v: 1 or -1, or 0 where there is one place only. */
function mirrorSlope(v: f64, size: i32, align: bool): f64 {
  const low: f64 = align ? 0 : -0.5,
    span: f64 = align ? <f64>(size - 1) : <f64>size;
  if (span == 0) return 0;
  const odd = <i64>Math.floor(Math.abs(v - low) / span) & 1;
  return v < low != (odd != 0) ? -1 : 1;
}

/** A position that is on the axis, for tap k: outside of it nothing is taken. */
@inline
function setTap(at: usize, k: i32, i: f64, w: f64, d: f64, size: i32): void {
  const inside = i >= 0 && i < <f64>size;
  store<i32>(at + ((<usize>k) << 2), inside ? <i32>i : 0);
  store<f64>(at + ((<usize>k) << 3), inside ? w : 0, 16);
  store<f64>(at + ((<usize>k) << 3), inside ? d : 0, 48);
}

/** Works out the look of one axis for a coordinate. */
function look(at: usize, coordinate: f64, size: i32, dims: Sampling): void {
  const align = dims.align != 0,
    padding = dims.padding,
    mode = dims.mode,
    last: f64 = <f64>(size - 1);
  let slope: f64 = align ? last / 2 : <f64>size / 2;
  let v = align ? ((coordinate + 1) / 2) * last : ((coordinate + 1) * <f64>size - 1) / 2;
  // So that all is finite; a NaN lies outside as well.
  v = v < 1e9 ? (v > -1e9 ? v : -1e9) : v >= 1e9 ? 1e9 : -1e9;
  if (mode <= NEAREST && padding) {
    if (padding == REFLECTION) {
      slope *= mirrorSlope(v, size, align);
      v = mirrored(v, size, align);
    }
    if (v <= 0 || v >= last) slope = 0;
    v = min(max(v, 0), last);
  }
  if (mode == NEAREST) {
    setTap(at, 0, nearest(v), 1, 0, size);
    return;
  }
  const whole = Math.floor(v),
    t = v - whole;
  if (mode == BILINEAR) {
    setTap(at, 0, whole, 1 - t, -slope, size);
    setTap(at, 1, whole + 1, t, slope, size);
    return;
  }
  for (let k = 0; k < 4; k++) {
    const away = t - <f64>(k - 1),
      d = Math.abs(away);
    let i = whole + <f64>(k - 1);
    if (padding == REFLECTION) i = mirrored(i, size, align);
    if (padding) i = min(max(i, 0), last);
    setTap(at, k, i, cubic(d, -0.75), cubicSlope(d, -0.75) * (away < 0 ? -slope : slope), size);
  }
}

/** Where weights of a look begin: those of the values, or of their slopes where the axis is the derived one. */
@inline
function weightsOf(axis: i32, derived: i32): usize {
  return axis == derived ? 48 : 16;
}

/**
 * The table of points from `from` to before from + count of an image whose grid is at `grid`; `derived` is the axis
 * whose coordinate the weights are derived by, or -1.
 */
function fillTable(table: usize, grid: usize, from: i32, count: i32, dims: Sampling, derived: i32): void {
  const looks = table - LOOKS,
    axes = dims.axes,
    along = dims.along(),
    taps = dims.taps(),
    deep = axes == 2 ? 1 : along,
    block = blockFor(taps),
    step = (<usize>block) << 2,
    weights = weightsAt(block, taps);
  grid += (<usize>from * axes) << 2;
  for (let q = 0; q < count; q++, table += 4) {
    for (let a = 0; a < axes; a++, grid += 4) look(looks + <usize>a * LOOK, load<f32>(grid), dims.size(a), dims);
    let at = table;
    for (let z = 0; z < deep; z++) {
      const ofZ = looks + 2 * LOOK,
        plane = axes == 2 ? 0 : load<i32>(ofZ + ((<usize>z) << 2)) * dims.height,
        wz: f64 = axes == 2 ? 1 : load<f64>(ofZ + weightsOf(2, derived) + ((<usize>z) << 3));
      for (let y = 0; y < along; y++) {
        const ofY = looks + LOOK,
          row = (plane + load<i32>(ofY + ((<usize>y) << 2))) * dims.width,
          wy = wz * load<f64>(ofY + weightsOf(1, derived) + ((<usize>y) << 3));
        for (let x = 0; x < along; x++, at += step) {
          store<u32>(at, (<u32>(row + load<i32>(looks + ((<usize>x) << 2)))) << 2);
          store<f32>(at + weights, <f32>(wy * load<f64>(looks + weightsOf(0, derived) + ((<usize>x) << 3))));
        }
      }
    }
  }
  closeTable(table - ((<usize>count) << 2), block, taps, count);
}

/** y = x where the grid says (torch.nn.functional.grid_sample). Overwrites. */
export function grid_sample_forward_f32(y: usize, x: usize, grid: usize, workspace: usize, dims: usize): void {
  const s = changetype<Sampling>(dims),
    taps = s.taps(),
    block = blockFor(taps),
    table = workspace + LOOKS,
    line = (<usize>s.points) << 2;
  for (let n = 0; n < s.batch; n++) {
    for (let from = 0; from < s.points; from += block) {
      const count = min(block, s.points - from);
      fillTable(table, grid, from, count, s, -1);
      let plane = x,
        to = y + ((<usize>from) << 2);
      for (let c = 0; c < s.channels; c++, plane += s.plane(), to += line)
        gatherTaps(to, plane, table, block, taps, count);
    }
    x += (<usize>s.inImage) << 2;
    y += (<usize>s.outImage) << 2;
    grid += line * s.axes;
  }
}

/** Reverses grid_sample_forward_f32 by x: each point, in order, adds its gradient to what it took. Overwrites. */
export function grid_sample_backward_input_f32(dx: usize, g: usize, grid: usize, workspace: usize, dims: usize): void {
  const s = changetype<Sampling>(dims),
    taps = s.taps(),
    block = blockFor(taps),
    table = workspace + LOOKS,
    line = (<usize>s.points) << 2;
  for (let n = 0; n < s.batch; n++) {
    memory.fill(dx, 0, <usize>s.channels * s.plane());
    for (let from = 0; from < s.points; from += block) {
      const count = min(block, s.points - from);
      fillTable(table, grid, from, count, s, -1);
      let plane = dx,
        gp = g + ((<usize>from) << 2);
      for (let c = 0; c < s.channels; c++, plane += s.plane(), gp += line)
        scatterTaps(plane, gp, table, block, taps, count);
    }
    dx += (<usize>s.inImage) << 2;
    g += (<usize>s.outImage) << 2;
    grid += line * s.axes;
  }
}

/** Reverses grid_sample_forward_f32 by the grid: the sum over channels of g and the slope there. Overwrites. */
export function grid_sample_backward_grid_f32(
  dgrid: usize,
  g: usize,
  x: usize,
  grid: usize,
  workspace: usize,
  dims: usize,
): void {
  const s = changetype<Sampling>(dims),
    taps = s.taps(),
    block = blockFor(taps),
    step = (<usize>block) << 2,
    table = workspace + LOOKS,
    line = (<usize>s.points) << 2,
    axes = s.axes;
  for (let n = 0; n < s.batch; n++) {
    for (let from = 0; from < s.points; from += block) {
      const count = min(block, s.points - from);
      for (let a = 0; a < axes; a++) {
        fillTable(table, grid, from, count, s, a);
        for (let q = 0; q < count; q += 4) {
          const lanes = min(count - q, 4);
          let sum = f32x4.splat(0),
            plane = x,
            gp = g + ((<usize>(from + q)) << 2);
          for (let c = 0; c < s.channels; c++, plane += s.plane(), gp += line) {
            const v = gatherFour(plane, table + ((<usize>q) << 2), step, weightsAt(block, taps), taps);
            sum = madd(v, loadLanes(gp, lanes), sum);
          }
          // The coordinates of a point lie side by side.
          let to = dgrid + ((<usize>((from + q) * axes + a)) << 2);
          for (let l = 0; l < lanes; l++, to += (<usize>axes) << 2) {
            storeLanes(to, sum, 1);
            sum = v128.shuffle<i32>(sum, sum, 1, 2, 3, 0);
          }
        }
      }
    }
    x += (<usize>s.inImage) << 2;
    g += (<usize>s.outImage) << 2;
    grid += line * axes;
    dgrid += line * axes;
  }
}
