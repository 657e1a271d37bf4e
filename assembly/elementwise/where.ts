// out[i] = cond[i] ? a[i] : b[i]: the one kernel with three operands to broadcast.

import { select, storePart } from "../lanes";
import { Along, Fixed, loadBytes, Strided, sizeOf, strideOf, widened } from "../loops";

/** Neighbouring bytes of cond. */
@final
@unmanaged
class Near {
  @inline load(p: usize, stride: usize, lanes: i32): v128 {
    return loadBytes(p, lanes);
  }
}

/** Bytes of cond `stride` apart, gathered. */
@final
@unmanaged
class Apart {
  @inline load(p: usize, stride: usize, lanes: i32): v128 {
    let v = v128.load8_lane(p, i32x4.splat(0), 0);
    if (lanes > 1) v = v128.load8_lane(p + stride, v, 1);
    if (lanes > 2) v = v128.load8_lane(p + 2 * stride, v, 2);
    return lanes > 3 ? v128.load8_lane(p + 3 * stride, v, 3) : v;
  }
}

@inline
function rows3<C, A, B>(out: usize, cond: usize, a: usize, b: usize, dims: usize, outer: i32, inner: i32): usize {
  const bytes = changetype<C>(0),
    x = changetype<A>(0),
    y = changetype<B>(0);
  const length = sizeOf(dims, inner),
    strideC = strideOf(dims, 0, inner);
  const strideA = strideOf(dims, 1, inner) << 2,
    strideB = strideOf(dims, 2, inner) << 2;
  const rowC = strideOf(dims, 0, outer),
    rowA = strideOf(dims, 1, outer) << 2,
    rowB = strideOf(dims, 2, outer) << 2;
  for (let rows = sizeOf(dims, outer); rows > 0; rows--, cond += rowC, a += rowA, b += rowB) {
    let c = cond,
      p = a,
      q = b;
    let n = length;
    for (; n >= 4; n -= 4, out += 16) {
      const no = i32x4.eq(widened(bytes.load(c, strideC, 4)), i32x4.splat(0));
      v128.store(out, select(no, y.load(q, strideB), x.load(p, strideA)));
      c += strideC << 2;
      p = x.at(p, strideA, 4);
      q = y.at(q, strideB, 4);
    }
    if (n > 0) {
      const no = i32x4.eq(widened(bytes.load(c, strideC, n)), i32x4.splat(0));
      storePart(out, select(no, y.loadPart(q, strideB, n), x.loadPart(p, strideA, n)), n);
      out += (<usize>n) << 2;
    }
  }
  return out;
}

function strided3(out: usize, cond: usize, a: usize, b: usize, dims: usize, axis: i32): usize {
  const last = load<i32>(dims) - 1;
  if (axis < last - 1) {
    const stepC = strideOf(dims, 0, axis),
      stepA = strideOf(dims, 1, axis) << 2,
      stepB = strideOf(dims, 2, axis) << 2;
    for (let i = sizeOf(dims, axis); i > 0; i--, cond += stepC, a += stepA, b += stepB) {
      out = strided3(out, cond, a, b, dims, axis + 1);
    }
    return out;
  }
  const outer = axis < last ? axis : -1;
  const c = strideOf(dims, 0, last),
    p = strideOf(dims, 1, last),
    q = strideOf(dims, 2, last);
  if (c == 1 && p == 1 && q == 1) return rows3<Near, Along, Along>(out, cond, a, b, dims, outer, last);
  if (c == 1 && p == 0 && q == 1) return rows3<Near, Fixed, Along>(out, cond, a, b, dims, outer, last);
  if (c == 1 && p == 1 && q == 0) return rows3<Near, Along, Fixed>(out, cond, a, b, dims, outer, last);
  return rows3<Apart, Strided, Strided>(out, cond, a, b, dims, outer, last);
}

/**
 * out = cond ? a : b (torch.where), cond as u8, any value but 0 being true. dims = [rank, n_0 .., the strides of cond,
 * of a, of b], strides in elements, non-negative, 0 where an operand is repeated; out is contiguous, and may be a or b
 * where that is contiguous too. Overwrites out.
 */
export function where_f32(out: usize, cond: usize, a: usize, b: usize, dims: usize): void {
  strided3(out, cond, a, b, dims, 0);
}
