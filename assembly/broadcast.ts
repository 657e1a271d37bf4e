// The loops over broadcast operands, each written once: out[i] = K of a[i] and b[i], out contiguous. Elements of type T
// have 4 bytes or 1. `dims` is [rank, n_0 .. n_{rank-1}, the first operand's strides, the second's, ...] as i32,
// strides in elements, non-negative, 0 where an operand is repeated. Rows go four vectors at a time where the op is
// short, then one, then the rest in one partial vector, so that no size has a cliff and no element has a scalar twin.
//
// An operand is read by a reader class: Along (neighbours), Fixed (one element for all) or Strided; strides in bytes.
// A result class K computes a vector, step(a, b), and stores it: Values or Flags.
import { loadBytes, loadPart, narrowed, storeBytes, storePart } from "./lanes";
import { SHALLOW, usesOf } from "./ops";

/** Neighbouring elements. */
@final
@unmanaged
export class Along<T> {
  @inline gathers(): bool {
    return false;
  }
  @inline at(p: usize, stride: usize, i: usize): usize {
    return p + i * sizeof<T>();
  }
  /** Vector k from p on. */
  @inline load(p: usize, stride: usize, k: usize): v128 {
    return v128.load(p + (k << 4));
  }
  @inline loadPart(p: usize, stride: usize, lanes: i32): v128 {
    return sizeof<T>() == 1 ? loadBytes(p, lanes) : loadPart(p, lanes);
  }
}

/** One element, repeated. */
@final
@unmanaged
export class Fixed<T> {
  @inline gathers(): bool {
    return false;
  }
  @inline at(p: usize, stride: usize, i: usize): usize {
    return p;
  }
  @inline load(p: usize, stride: usize, k: usize): v128 {
    return sizeof<T>() == 1 ? v128.load8_splat(p) : v128.load32_splat(p);
  }
  @inline loadPart(p: usize, stride: usize, lanes: i32): v128 {
    return this.load(p, stride, 0);
  }
}

/** Elements `stride` apart, gathered. */
@final
@unmanaged
export class Strided<T> {
  @inline gathers(): bool {
    return true;
  }
  @inline at(p: usize, stride: usize, i: usize): usize {
    return p + i * stride;
  }
  @inline load(p: usize, stride: usize, k: usize): v128 {
    if (sizeof<T>() == 1) return gatherBytes(p, stride, 16);
    const two = v128.load32_lane(p + stride, v128.load32_zero(p), 1);
    return v128.load32_lane(p + 3 * stride, v128.load32_lane(p + 2 * stride, two, 2), 3);
  }
  @inline loadPart(p: usize, stride: usize, lanes: i32): v128 {
    return sizeof<T>() == 1 ? gatherBytes(p, stride, lanes) : gatherPart(p, stride, lanes);
  }
}

/** Elements of any stride, which is asked for at every vector: less code than a loop for each. */
@final
@unmanaged
class Any<T> {
  @inline gathers(): bool {
    return true;
  }
  @inline at(p: usize, stride: usize, i: usize): usize {
    return p + i * stride;
  }
  @inline load(p: usize, stride: usize, k: usize): v128 {
    if (stride == sizeof<T>()) return changetype<Along<T>>(0).load(p, stride, 0);
    if (stride == 0) return changetype<Fixed<T>>(0).load(p, stride, 0);
    return changetype<Strided<T>>(0).load(p, stride, 0);
  }
  @inline loadPart(p: usize, stride: usize, lanes: i32): v128 {
    return changetype<Strided<T>>(0).loadPart(p, stride, lanes);
  }
}

function gatherPart(p: usize, stride: usize, lanes: i32): v128 {
  const one = v128.load32_zero(p);
  if (lanes == 1) return one;
  const two = v128.load32_lane(p + stride, one, 1);
  return lanes == 2 ? two : v128.load32_lane(p + 2 * stride, two, 2);
}

/** The first `n` (1 to 16) of the bytes at p, `stride` apart. */
export function gatherBytes(p: usize, stride: usize, n: i32): v128 {
  let low: u64 = 0,
    high: u64 = 0;
  for (let i = 0; i < min(n, 8); i++, p += stride) low |= (<u64>load<u8>(p)) << ((<u64>i) << 3);
  for (let i = 8; i < n; i++, p += stride) high |= (<u64>load<u8>(p)) << ((<u64>i - 8) << 3);
  return i64x2(low, high);
}

// For which strides a result class has a loop of its own: each pair of Along and Fixed; two contiguous operands; or
// none.
@inline const EACH: i32 = 0;
@inline const CONTIGUOUS_OR_ANY: i32 = 1;
@inline const GATHERING: i32 = 2;

/**
 * Values as wide as the operands. Long ops (SHALLOW) take one vector at a time and gather, which costs little beside
 * them.
 */
@final
@unmanaged
export class Values<F> {
  @inline deep(): bool {
    return !(usesOf<F>() & SHALLOW);
  }
  @inline readers(): i32 {
    return usesOf<F>() & SHALLOW ? GATHERING : EACH;
  }
  @inline bytes(size: usize): usize {
    return size;
  }
  @inline step(a: v128, b: v128): v128 {
    return changetype<F>(0).forward(a, b);
  }
  @inline store(out: usize, v: v128): void {
    v128.store(out, v);
  }
  @inline storePart(size: usize, out: usize, v: v128, lanes: i32): void {
    if (size == 1) storeBytes(out, v, lanes);
    else storePart(out, v, lanes);
  }
}

/** As Values, in less code: for integers and masks, which are fast where both operands are contiguous. */
@final
@unmanaged
export class Integers<F> {
  @inline deep(): bool {
    return true;
  }
  @inline readers(): i32 {
    return CONTIGUOUS_OR_ANY;
  }
  @inline bytes(size: usize): usize {
    return size;
  }
  @inline step(a: v128, b: v128): v128 {
    return changetype<F>(0).forward(a, b);
  }
  @inline store(out: usize, v: v128): void {
    v128.store(out, v);
  }
  @inline storePart(size: usize, out: usize, v: v128, lanes: i32): void {
    changetype<Values<F>>(0).storePart(size, out, v, lanes);
  }
}

/** Bytes out of operands of 4: 1 where F's lane is all ones, 0 where it is 0. */
@final
@unmanaged
export class Flags<F> {
  @inline deep(): bool {
    return false;
  }
  @inline readers(): i32 {
    return EACH;
  }
  @inline bytes(size: usize): usize {
    return 1;
  }
  @inline flags(a: v128, b: v128): v128 {
    return i32x4.shr_u(changetype<F>(0).forward(a, b), 31);
  }
  @inline step(a: v128, b: v128): v128 {
    const flags = this.flags(a, b);
    return narrowed(flags, flags, flags, flags);
  }
  @inline store(out: usize, v: v128): void {
    v128.store32_lane(out, v, 0);
  }
  @inline storePart(size: usize, out: usize, v: v128, lanes: i32): void {
    storeBytes(out, v, lanes);
  }
}

/** One row of out. Gives the address behind it. out may be a or b where that is read Along and as wide. */
@inline
function row2<K, T, A, B>(out: usize, a: usize, b: usize, n: i32, strideA: usize, strideB: usize): usize {
  const k = changetype<K>(0),
    x = changetype<A>(0),
    y = changetype<B>(0),
    lanes = <i32>(16 / sizeof<T>());
  if (k.deep() && !x.gathers() && !y.gathers()) {
    for (; n >= 4 * lanes; n -= 4 * lanes, out += 64) {
      v128.store(out, k.step(x.load(a, strideA, 0), y.load(b, strideB, 0)));
      v128.store(out, k.step(x.load(a, strideA, 1), y.load(b, strideB, 1)), 16);
      v128.store(out, k.step(x.load(a, strideA, 2), y.load(b, strideB, 2)), 32);
      v128.store(out, k.step(x.load(a, strideA, 3), y.load(b, strideB, 3)), 48);
      a = x.at(a, strideA, 4 * lanes);
      b = y.at(b, strideB, 4 * lanes);
    }
  }
  if (k.bytes(sizeof<T>()) < sizeof<T>() && !x.gathers() && !y.gathers()) {
    for (; n >= 8; n -= 8, out += 8) {
      const v0 = k.flags(x.load(a, strideA, 0), y.load(b, strideB, 0)),
        v1 = k.flags(x.load(a, strideA, 1), y.load(b, strideB, 1));
      v128.store64_lane(out, narrowed(v0, v1, v0, v1), 0);
      a = x.at(a, strideA, 8);
      b = y.at(b, strideB, 8);
    }
  }
  for (; n >= lanes; n -= lanes, out += <usize>lanes * k.bytes(sizeof<T>())) {
    k.store(out, k.step(x.load(a, strideA, 0), y.load(b, strideB, 0)));
    a = x.at(a, strideA, lanes);
    b = y.at(b, strideB, lanes);
  }
  if (n <= 0) return out;
  k.storePart(sizeof<T>(), out, k.step(x.loadPart(a, strideA, n), y.loadPart(b, strideB, n)), n);
  return out + <usize>n * k.bytes(sizeof<T>());
}

@inline
function rows2<K, T, A, B>(
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
  for (; rows > 0; rows--, a += rowA, b += rowB) out = row2<K, T, A, B>(out, a, b, n, strideA, strideB);
  return out;
}

/** The size of the axis at `axis` in dims, and its stride in a list of strides `list` bytes behind the sizes. */
@inline
export function sizeAt(axis: usize): i32 {
  return load<i32>(axis);
}
@inline
export function strideAt(axis: usize, list: usize): usize {
  return <usize>load<i32>(axis + list);
}

/**
 * out = K of a and b over the last `left` axes, of which the first is at `axis`, and whose strides are `listA` and
 * `listB` bytes behind their sizes. Gives the address behind what it wrote. The last two axes are one double loop;
 * those before them recur.
 */
function walk2<K, T>(out: usize, a: usize, b: usize, axis: usize, listA: usize, listB: usize, left: i32): usize {
  const one = sizeof<T>();
  let rows = 1,
    n = 1;
  let rowA: usize = 0,
    rowB: usize = 0,
    strideA: usize = 0,
    strideB: usize = 0;
  if (left > 1) {
    rows = sizeAt(axis);
    rowA = strideAt(axis, listA) * one;
    rowB = strideAt(axis, listB) * one;
    axis += 4;
    if (left > 2) {
      for (; rows > 0; rows--, a += rowA, b += rowB) out = walk2<K, T>(out, a, b, axis, listA, listB, left - 1);
      return out;
    }
  }
  if (left > 0) {
    n = sizeAt(axis);
    strideA = strideAt(axis, listA) * one;
    strideB = strideAt(axis, listB) * one;
  }
  const readers = changetype<K>(0).readers();
  if (readers != GATHERING) {
    if (strideA == one && strideB == one) {
      return rows2<K, T, Along<T>, Along<T>>(out, a, b, rows, n, rowA, rowB, one, one);
    }
  }
  if (readers == CONTIGUOUS_OR_ANY) {
    return rows2<K, T, Any<T>, Any<T>>(out, a, b, rows, n, rowA, rowB, strideA, strideB);
  }
  if (readers == EACH) {
    if (strideA == one && strideB == 0) {
      return rows2<K, T, Along<T>, Fixed<T>>(out, a, b, rows, n, rowA, rowB, one, 0);
    }
    if (strideA == 0 && strideB == one) {
      return rows2<K, T, Fixed<T>, Along<T>>(out, a, b, rows, n, rowA, rowB, 0, one);
    }
  }
  return rows2<K, T, Strided<T>, Strided<T>>(out, a, b, rows, n, rowA, rowB, strideA, strideB);
}

/** out = K of a and b, elements of type T. */
@inline
export function broadcast2<K, T>(out: usize, a: usize, b: usize, dims: usize): void {
  const rank = load<i32>(dims),
    list = (<usize>rank) << 2;
  walk2<K, T>(out, a, b, dims + 4, list, 2 * list, rank);
}

/** out = K of b and a: a > b is b < a. */
@inline
export function broadcastSwapped2<K, T>(out: usize, a: usize, b: usize, dims: usize): void {
  const rank = load<i32>(dims),
    list = (<usize>rank) << 2;
  walk2<K, T>(out, b, a, dims + 4, 2 * list, list, rank);
}
