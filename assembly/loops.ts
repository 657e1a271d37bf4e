// The loop shapes of elementwise kernels, each written once. What a loop computes is an op class, used as
// `changetype<F>(0).method(...)`, which leaves no call. Loops go four vectors at a time, then one, then the last one to
// three elements in one partial vector, so that no size has a cliff and no element has a scalar twin.
//
// Operands of a strided loop are read by a reader class: Along (neighbours), Fixed (one element for all), or Strided.
// `dims` is [rank, n_0 .. n_{rank-1}, the first operand's strides, the second's, ...] as i32, strides in elements.
import { loadLanes, loadPart, storeLanes, storePart } from "./lanes";

/** Neighbouring elements. Strides are in bytes here. */
@final
@unmanaged
export class Along {
  @inline gathers(): bool {
    return false;
  }
  @inline at(p: usize, stride: usize, i: usize): usize {
    return p + (i << 2);
  }
  @inline load(p: usize, stride: usize): v128 {
    return v128.load(p);
  }
  @inline load4(p: usize, stride: usize): v128 {
    return v128.load(p, 16);
  }
  @inline load8(p: usize, stride: usize): v128 {
    return v128.load(p, 32);
  }
  @inline load12(p: usize, stride: usize): v128 {
    return v128.load(p, 48);
  }
  @inline loadPart(p: usize, stride: usize, lanes: i32): v128 {
    return loadPart(p, lanes);
  }
}

/** One element, repeated. */
@final
@unmanaged
export class Fixed {
  @inline gathers(): bool {
    return false;
  }
  @inline at(p: usize, stride: usize, i: usize): usize {
    return p;
  }
  @inline load(p: usize, stride: usize): v128 {
    return v128.load32_splat(p);
  }
  @inline load4(p: usize, stride: usize): v128 {
    return v128.load32_splat(p);
  }
  @inline load8(p: usize, stride: usize): v128 {
    return v128.load32_splat(p);
  }
  @inline load12(p: usize, stride: usize): v128 {
    return v128.load32_splat(p);
  }
  @inline loadPart(p: usize, stride: usize, lanes: i32): v128 {
    return v128.load32_splat(p);
  }
}

/** Elements `stride` apart, gathered. */
@final
@unmanaged
export class Strided {
  @inline gathers(): bool {
    return true;
  }
  @inline at(p: usize, stride: usize, i: usize): usize {
    return p + i * stride;
  }
  @inline load(p: usize, stride: usize): v128 {
    const two = v128.load32_lane(p + stride, v128.load32_zero(p), 1);
    return v128.load32_lane(p + 3 * stride, v128.load32_lane(p + 2 * stride, two, 2), 3);
  }
  @inline load4(p: usize, stride: usize): v128 {
    return this.load(p + 4 * stride, stride);
  }
  @inline load8(p: usize, stride: usize): v128 {
    return this.load(p + 8 * stride, stride);
  }
  @inline load12(p: usize, stride: usize): v128 {
    return this.load(p + 12 * stride, stride);
  }
  @inline loadPart(p: usize, stride: usize, lanes: i32): v128 {
    return gatherPart(p, stride, lanes);
  }
}

function gatherPart(p: usize, stride: usize, lanes: i32): v128 {
  const one = v128.load32_zero(p);
  if (lanes == 1) return one;
  const two = v128.load32_lane(p + stride, one, 1);
  return lanes == 2 ? two : v128.load32_lane(p + 2 * stride, two, 2);
}

/**
 * out[i] = F.forward(x[i], p, q). out may be x. Four vectors are worked out before the first is stored: of long ops, that
 * wait for themselves, this doubles the speed.
 */
@inline
export function map1<F>(out: usize, x: usize, n: i32, p: f32, q: f32): void {
  const f = changetype<F>(0);
  const pv = f32x4.splat(p),
    qv = f32x4.splat(q);
  for (; n >= 16; n -= 16, out += 64, x += 64) {
    const v0: v128 = f.forward(v128.load(x), pv, qv),
      v1: v128 = f.forward(v128.load(x, 16), pv, qv),
      v2: v128 = f.forward(v128.load(x, 32), pv, qv),
      v3: v128 = f.forward(v128.load(x, 48), pv, qv);
    v128.store(out, v0);
    v128.store(out, v1, 16);
    v128.store(out, v2, 32);
    v128.store(out, v3, 48);
  }
  for (; n >= 4; n -= 4, out += 16, x += 16) v128.store(out, f.forward(v128.load(x), pv, qv));
  if (n > 0) storePart(out, f.forward(loadPart(x, n), pv, qv), n);
}

/** out[i] = value. */
export function fill(out: usize, n: i32, value: f32): void {
  const v = f32x4.splat(value);
  for (; n >= 16; n -= 16, out += 64) {
    v128.store(out, v);
    v128.store(out, v, 16);
    v128.store(out, v, 32);
    v128.store(out, v, 48);
  }
  for (; n >= 4; n -= 4, out += 16) v128.store(out, v);
  if (n > 0) storePart(out, v, n);
}

// A loop over two operands is over a result class: what it computes, step(a, b, p, q); what it stores, bytes() an
// element; whether it is short enough to go deep(), four vectors at a time; and whether it always gathers(), because
// reading costs little beside it.

/** Values of 4 bytes, F.forward(a, b). */
@final
@unmanaged
export class Values<F> {
  @inline deep(): bool {
    return true;
  }
  @inline gathers(): bool {
    return false;
  }
  @inline bytes(): usize {
    return 4;
  }
  @inline step(a: v128, b: v128, p: v128, q: v128): v128 {
    return changetype<F>(0).forward(a, b);
  }
  @inline store(out: usize, v: v128): void {
    v128.store(out, v);
  }
  @inline storePart(out: usize, v: v128, lanes: i32): void {
    storePart(out, v, lanes);
  }
}

/** As Values, for long ops: one vector at a time, and gathered. */
@final
@unmanaged
export class LongValues<F> {
  @inline deep(): bool {
    return false;
  }
  @inline gathers(): bool {
    return true;
  }
  @inline bytes(): usize {
    return 4;
  }
  @inline step(a: v128, b: v128, p: v128, q: v128): v128 {
    return changetype<F>(0).forward(a, b);
  }
  @inline store(out: usize, v: v128): void {
    v128.store(out, v);
  }
  @inline storePart(out: usize, v: v128, lanes: i32): void {
    storePart(out, v, lanes);
  }
}

/** Bytes, 1 where F.test(a, b), and else 0. */
@final
@unmanaged
export class Flags<F> {
  @inline deep(): bool {
    return false;
  }
  @inline gathers(): bool {
    return false;
  }
  @inline bytes(): usize {
    return 1;
  }
  @inline step(a: v128, b: v128, p: v128, q: v128): v128 {
    const flags = i32x4.shr_u(changetype<F>(0).test(a, b), 31);
    return narrowed(flags, flags, flags, flags);
  }
  @inline store(out: usize, v: v128): void {
    v128.store32_lane(out, v, 0);
  }
  @inline storePart(out: usize, v: v128, lanes: i32): void {
    storeBytes(out, v, lanes);
  }
}

/** Gradients of 4 bytes, F.backward(g, saved, p, q). */
@final
@unmanaged
class Gradients<F> {
  @inline deep(): bool {
    return true;
  }
  @inline step(g: v128, saved: v128, p: v128, q: v128): v128 {
    return changetype<F>(0).backward(g, saved, p, q);
  }
  @inline bytes(): usize {
    return 4;
  }
  @inline store(out: usize, v: v128): void {
    v128.store(out, v);
  }
  @inline storePart(out: usize, v: v128, lanes: i32): void {
    storePart(out, v, lanes);
  }
}

/** As Gradients, for long ops: one vector at a time, which is shorter. */
@final
@unmanaged
class LongGradients<F> {
  @inline deep(): bool {
    return false;
  }
  @inline step(g: v128, saved: v128, p: v128, q: v128): v128 {
    return changetype<F>(0).backward(g, saved, p, q);
  }
  @inline bytes(): usize {
    return 4;
  }
  @inline store(out: usize, v: v128): void {
    v128.store(out, v);
  }
  @inline storePart(out: usize, v: v128, lanes: i32): void {
    storePart(out, v, lanes);
  }
}

/** One row of out. Gives the address behind it. out may be a or b where that is read Along. */
@inline
function row2<K, A, B>(
  out: usize,
  a: usize,
  b: usize,
  n: i32,
  strideA: usize,
  strideB: usize,
  p: v128,
  q: v128,
): usize {
  const k = changetype<K>(0),
    x = changetype<A>(0),
    y = changetype<B>(0);
  if (k.deep() && !x.gathers() && !y.gathers()) {
    for (; n >= 16; n -= 16, out += 64) {
      v128.store(out, k.step(x.load(a, strideA), y.load(b, strideB), p, q));
      v128.store(out, k.step(x.load4(a, strideA), y.load4(b, strideB), p, q), 16);
      v128.store(out, k.step(x.load8(a, strideA), y.load8(b, strideB), p, q), 32);
      v128.store(out, k.step(x.load12(a, strideA), y.load12(b, strideB), p, q), 48);
      a = x.at(a, strideA, 16);
      b = y.at(b, strideB, 16);
    }
  }
  for (; n >= 4; n -= 4, out += 4 * k.bytes()) {
    k.store(out, k.step(x.load(a, strideA), y.load(b, strideB), p, q));
    a = x.at(a, strideA, 4);
    b = y.at(b, strideB, 4);
  }
  if (n <= 0) return out;
  k.storePart(out, k.step(x.loadPart(a, strideA, n), y.loadPart(b, strideB, n), p, q), n);
  return out + <usize>n * k.bytes();
}

/** dx[i] = F.backward(g[i], saved[i], p, q), for ops of a few instructions. dx may be g or saved. */
@inline
export function grad1<F>(dx: usize, g: usize, saved: usize, n: i32, p: f32, q: f32): void {
  row2<Gradients<F>, Along, Along>(dx, g, saved, n, 4, 4, f32x4.splat(p), f32x4.splat(q));
}

/** As grad1, for long ops (see LongGradients). */
@inline
export function gradLong<F>(dx: usize, g: usize, saved: usize, n: i32, p: f32, q: f32): void {
  row2<LongGradients<F>, Along, Along>(dx, g, saved, n, 4, 4, f32x4.splat(p), f32x4.splat(q));
}

/** The first `n` (1 to 4) bytes at p as the low bytes of a vector. */
export function loadBytes(p: usize, n: i32): v128 {
  if (n == 4) return v128.load32_zero(p);
  let v = v128.load8_lane(p, i32x4.splat(0), 0);
  if (n > 1) v = v128.load8_lane(p, v, 1, 1);
  return n > 2 ? v128.load8_lane(p, v, 2, 2) : v;
}

/** Stores the first `n` (1 to 4) bytes of v at p. */
function storeBytes(p: usize, v: v128, n: i32): void {
  if (n == 4) {
    v128.store32_lane(p, v, 0);
    return;
  }
  v128.store8_lane(p, v, 0);
  if (n > 1) v128.store8_lane(p, v, 1, 1);
  if (n > 2) v128.store8_lane(p, v, 2, 2);
}

/** The low four bytes as i32s. */
@inline
export function widened(bytes: v128): v128 {
  return i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(bytes));
}

/** Sixteen i32s as bytes, each within 0 and 255. */
@inline
function narrowed(a: v128, b: v128, c: v128, d: v128): v128 {
  return i8x16.narrow_i16x8_u(i16x8.narrow_i32x4_s(a, b), i16x8.narrow_i32x4_s(c, d));
}

/** out[i] = F.forward(x[i]), an i32 brought within 0 and 255, as a byte. */
@inline
export function mapToBytes<F>(out: usize, x: usize, n: i32): void {
  const f = changetype<F>(0);
  for (; n >= 16; n -= 16, out += 16, x += 64) {
    const a = f.forward(v128.load(x)),
      b = f.forward(v128.load(x, 16));
    v128.store(out, narrowed(a, b, f.forward(v128.load(x, 32)), f.forward(v128.load(x, 48))));
  }
  for (; n > 0; n -= 4, out += 4, x += 16) {
    const lanes = min(n, 4);
    const v = f.forward(loadLanes(x, lanes));
    storeBytes(out, narrowed(v, v, v, v), lanes);
  }
}

/** out[i] = F.forward(x[i]), for bytes x, given as i32s. */
@inline
export function mapFromBytes<F>(out: usize, x: usize, n: i32): void {
  const f = changetype<F>(0);
  for (; n >= 16; n -= 16, out += 64, x += 16) {
    v128.store(out, f.forward(widened(v128.load32_zero(x))));
    v128.store(out, f.forward(widened(v128.load32_zero(x, 4))), 16);
    v128.store(out, f.forward(widened(v128.load32_zero(x, 8))), 32);
    v128.store(out, f.forward(widened(v128.load32_zero(x, 12))), 48);
  }
  for (; n > 0; n -= 4, out += 16, x += 4) {
    const lanes = min(n, 4);
    storeLanes(out, f.forward(widened(loadBytes(x, lanes))), lanes);
  }
}

/** The size of an axis; 1 for axis -1, which stands for none. */
export function sizeOf(dims: usize, axis: i32): i32 {
  return axis < 0 ? 1 : load<i32>(dims + ((<usize>(1 + axis)) << 2));
}

/** The stride of an axis for operand 0, 1 or 2, in elements; 0 for axis -1. */
export function strideOf(dims: usize, operand: i32, axis: i32): usize {
  return axis < 0 ? 0 : <usize>load<i32>(dims + ((<usize>(1 + (1 + operand) * load<i32>(dims) + axis)) << 2));
}

@inline
function rows2<K, A, B>(
  out: usize,
  a: usize,
  b: usize,
  rows: i32,
  n: i32,
  rowA: usize,
  rowB: usize,
  strideA: usize,
  strideB: usize,
): usize {
  const none = f32x4.splat(0);
  for (; rows > 0; rows--, a += rowA, b += rowB) out = row2<K, A, B>(out, a, b, n, strideA, strideB, none, none);
  return out;
}

/**
 * out = K of a and b over the axes from `axis` on, out contiguous. Gives the address behind what it wrote. The last two
 * axes are one double loop; those before them recur.
 */
export function strided2<K>(out: usize, a: usize, b: usize, dims: usize, axis: i32): usize {
  const last = load<i32>(dims) - 1;
  if (axis < last - 1) {
    const stepA = strideOf(dims, 0, axis) << 2,
      stepB = strideOf(dims, 1, axis) << 2;
    for (let i = sizeOf(dims, axis); i > 0; i--, a += stepA, b += stepB) out = strided2<K>(out, a, b, dims, axis + 1);
    return out;
  }
  const outer = axis < last ? axis : -1;
  const rows = sizeOf(dims, outer),
    n = sizeOf(dims, last);
  const rowA = strideOf(dims, 0, outer) << 2,
    rowB = strideOf(dims, 1, outer) << 2;
  const strideA = strideOf(dims, 0, last) << 2,
    strideB = strideOf(dims, 1, last) << 2;
  if (!changetype<K>(0).gathers()) {
    if (strideA == 4 && strideB == 4) return rows2<K, Along, Along>(out, a, b, rows, n, rowA, rowB, 4, 4);
    if (strideA == 4 && strideB == 0) return rows2<K, Along, Fixed>(out, a, b, rows, n, rowA, rowB, 4, 0);
    if (strideA == 0 && strideB == 4) return rows2<K, Fixed, Along>(out, a, b, rows, n, rowA, rowB, 0, 4);
  }
  return rows2<K, Strided, Strided>(out, a, b, rows, n, rowA, rowB, strideA, strideB);
}
