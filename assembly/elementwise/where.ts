// out[i] = cond[i] ? a[i] : b[i]: the one kernel with three operands to broadcast. cond is u8, any value but 0 being
// true; values of type T have 4 bytes or 1.
import { Along, Fixed, gatherBytes, Strided, sizeAt, strideAt } from "../broadcast";
import { loadBytes, select, storeBytes, storePart, widened } from "../lanes";

/** Neighbouring bytes of cond. */
@final
@unmanaged
class Near {
  @inline load(p: usize, stride: usize, lanes: i32): v128 {
    return lanes == 16 ? v128.load(p) : lanes == 4 ? v128.load32_zero(p) : loadBytes(p, lanes);
  }
}

/** Bytes of cond `stride` apart, gathered. */
@final
@unmanaged
class Apart {
  @inline load(p: usize, stride: usize, lanes: i32): v128 {
    if (lanes > 4) return gatherBytes(p, stride, lanes);
    let v = v128.load8_lane(p, i32x4.splat(0), 0);
    if (lanes > 1) v = v128.load8_lane(p + stride, v, 1);
    if (lanes > 2) v = v128.load8_lane(p + 2 * stride, v, 2);
    return lanes > 3 ? v128.load8_lane(p + 3 * stride, v, 3) : v;
  }
}

/** All ones in the lanes whose byte of cond is 0. */
@inline
function zeros<T>(bytes: v128): v128 {
  if (sizeof<T>() == 1) return i8x16.eq(bytes, i8x16.splat(0));
  return i32x4.eq(widened(bytes), i32x4.splat(0));
}

/** no ? b : a. A relaxed select of 32-bit lanes may look at one bit of each, which says nothing of their bytes. */
@inline
function pick<T>(no: v128, a: v128, b: v128): v128 {
  return sizeof<T>() == 1 ? v128.bitselect(b, a, no) : select(no, b, a);
}

@inline
function rows3<C, A, B, T>(
  out: usize,
  cond: usize,
  a: usize,
  b: usize,
  rows: i32,
  length: i32,
  rowC: usize,
  rowA: usize,
  rowB: usize,
  strideC: usize,
  strideA: usize,
  strideB: usize,
): usize {
  const bytes = changetype<C>(0),
    x = changetype<A>(0),
    y = changetype<B>(0),
    lanes = <i32>(16 / sizeof<T>());
  for (; rows > 0; rows--, cond += rowC, a += rowA, b += rowB) {
    let c = cond,
      p = a,
      q = b;
    let n = length;
    for (; n >= lanes; n -= lanes, out += 16) {
      const no = zeros<T>(bytes.load(c, strideC, lanes));
      v128.store(out, pick<T>(no, x.load(p, strideA, 0), y.load(q, strideB, 0)));
      c += strideC * lanes;
      p = x.at(p, strideA, lanes);
      q = y.at(q, strideB, lanes);
    }
    if (n > 0) {
      const no = zeros<T>(bytes.load(c, strideC, n));
      const v = pick<T>(no, x.loadPart(p, strideA, n), y.loadPart(q, strideB, n));
      if (sizeof<T>() == 1) storeBytes(out, v, n);
      else storePart(out, v, n);
      out += <usize>n * sizeof<T>();
    }
  }
  return out;
}

/** As walk2 of broadcast.ts. */
function walk3<T>(out: usize, cond: usize, a: usize, b: usize, axis: usize, skip: usize, left: i32): usize {
  const one = sizeof<T>();
  let rows = 1,
    n = 1;
  let rowC: usize = 0,
    rowA: usize = 0,
    rowB: usize = 0,
    c: usize = 0,
    p: usize = 0,
    q: usize = 0;
  if (left > 1) {
    rows = sizeAt(axis);
    rowC = strideAt(axis, skip);
    rowA = strideAt(axis, 2 * skip) * one;
    rowB = strideAt(axis, 3 * skip) * one;
    axis += 4;
    if (left > 2) {
      for (; rows > 0; rows--, cond += rowC, a += rowA, b += rowB) {
        out = walk3<T>(out, cond, a, b, axis, skip, left - 1);
      }
      return out;
    }
  }
  if (left > 0) {
    n = sizeAt(axis);
    c = strideAt(axis, skip);
    p = strideAt(axis, 2 * skip) * one;
    q = strideAt(axis, 3 * skip) * one;
  }
  if (c == 1 && p == one && q == one) {
    return rows3<Near, Along<T>, Along<T>, T>(out, cond, a, b, rows, n, rowC, rowA, rowB, 1, one, one);
  }
  if (c == 1 && p == 0 && q == one) {
    return rows3<Near, Fixed<T>, Along<T>, T>(out, cond, a, b, rows, n, rowC, rowA, rowB, 1, 0, one);
  }
  if (c == 1 && p == one && q == 0) {
    return rows3<Near, Along<T>, Fixed<T>, T>(out, cond, a, b, rows, n, rowC, rowA, rowB, 1, one, 0);
  }
  return rows3<Apart, Strided<T>, Strided<T>, T>(out, cond, a, b, rows, n, rowC, rowA, rowB, c, p, q);
}

@inline
function broadcast3<T>(out: usize, cond: usize, a: usize, b: usize, dims: usize): void {
  const rank = load<i32>(dims);
  walk3<T>(out, cond, a, b, dims + 4, (<usize>rank) << 2, rank);
}

/**
 * out = cond ? a : b (torch.where), of f32, or of any 4 bytes such as i32. dims = [rank, n_0 .., the strides of cond,
 * of a, of b], strides in elements, non-negative, 0 where an operand is repeated; out is contiguous, and may be a or b
 * where that is contiguous too. Overwrites out.
 */
export function where_f32(out: usize, cond: usize, a: usize, b: usize, dims: usize): void {
  broadcast3<u32>(out, cond, a, b, dims);
}

/** As where_f32, of u8; out may be cond too, where that is contiguous. */
export function where_u8(out: usize, cond: usize, a: usize, b: usize, dims: usize): void {
  broadcast3<u8>(out, cond, a, b, dims);
}
