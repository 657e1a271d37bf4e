// The loop over three broadcast operands, of which the first has bytes: out[i] = K of cond[i], a[i] and b[i]; values of
// type T have 4 bytes or 1. See broadcast.ts. A class K has step(bytes, a, b).
import { Along, Fixed, gatherBytes, Strided, sizeAt, strideAt } from "./broadcast";
import { loadBytes, storeBytes, storePart } from "./lanes";

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

@inline
function rows3<K, C, A, B, T>(
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
    k = changetype<K>(0),
    lanes = <i32>(16 / sizeof<T>());
  for (; rows > 0; rows--, cond += rowC, a += rowA, b += rowB) {
    let c = cond,
      p = a,
      q = b;
    let n = length;
    for (; n >= lanes; n -= lanes, out += 16) {
      v128.store(out, k.step(bytes.load(c, strideC, lanes), x.load(p, strideA, 0), y.load(q, strideB, 0)));
      c += strideC * lanes;
      p = x.at(p, strideA, lanes);
      q = y.at(q, strideB, lanes);
    }
    if (n > 0) {
      const v = k.step(bytes.load(c, strideC, n), x.loadPart(p, strideA, n), y.loadPart(q, strideB, n));
      if (sizeof<T>() == 1) storeBytes(out, v, n);
      else storePart(out, v, n);
      out += <usize>n * sizeof<T>();
    }
  }
  return out;
}

/** As walk2 of broadcast.ts. */
function walk3<K, T>(out: usize, cond: usize, a: usize, b: usize, axis: usize, skip: usize, left: i32): usize {
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
        out = walk3<K, T>(out, cond, a, b, axis, skip, left - 1);
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
    return rows3<K, Near, Along<T>, Along<T>, T>(out, cond, a, b, rows, n, rowC, rowA, rowB, 1, one, one);
  }
  // Bytes have no loops of their own for one value: none is hot.
  if (one == 4 && c == 1 && p == 0 && q == one) {
    return rows3<K, Near, Fixed<T>, Along<T>, T>(out, cond, a, b, rows, n, rowC, rowA, rowB, 1, 0, one);
  }
  if (one == 4 && c == 1 && p == one && q == 0) {
    return rows3<K, Near, Along<T>, Fixed<T>, T>(out, cond, a, b, rows, n, rowC, rowA, rowB, 1, one, 0);
  }
  return rows3<K, Apart, Strided<T>, Strided<T>, T>(out, cond, a, b, rows, n, rowC, rowA, rowB, c, p, q);
}

/**
 * out = K of cond, a and b. dims = [rank, n_0 .., the strides of cond, of a, of b], strides in elements, non-negative.
 */
@inline
export function broadcast3<K, T>(out: usize, cond: usize, a: usize, b: usize, dims: usize): void {
  const rank = load<i32>(dims);
  walk3<K, T>(out, cond, a, b, dims + 4, (<usize>rank) << 2, rank);
}
