// Broadcasting comparisons: out[i] = a[i] op b[i] ? 1 : 0 as u8, over dims = [rank, n_0 .., the strides of a, the
// strides of b], strides in elements, non-negative, 0 where an operand is repeated; out is contiguous and apart from
// both. NaN compares as in IEEE 754: it differs from everything. Every kernel overwrites out.
import { Flags, strided2 } from "../loops";

@final
@unmanaged
class Eq {
  @inline test(a: v128, b: v128): v128 {
    return f32x4.eq(a, b);
  }
}

@final
@unmanaged
class Ne {
  @inline test(a: v128, b: v128): v128 {
    return f32x4.ne(a, b);
  }
}

@final
@unmanaged
class Lt {
  @inline test(a: v128, b: v128): v128 {
    return f32x4.lt(a, b);
  }
}

@final
@unmanaged
class Le {
  @inline test(a: v128, b: v128): v128 {
    return f32x4.le(a, b);
  }
}

@final
@unmanaged
class Gt {
  @inline test(a: v128, b: v128): v128 {
    return f32x4.gt(a, b);
  }
}

@final
@unmanaged
class Ge {
  @inline test(a: v128, b: v128): v128 {
    return f32x4.ge(a, b);
  }
}

@final
@unmanaged
class EqInt {
  @inline test(a: v128, b: v128): v128 {
    return i32x4.eq(a, b);
  }
}

@final
@unmanaged
class NeInt {
  @inline test(a: v128, b: v128): v128 {
    return i32x4.ne(a, b);
  }
}

@final
@unmanaged
class LtInt {
  @inline test(a: v128, b: v128): v128 {
    return i32x4.lt_s(a, b);
  }
}

@final
@unmanaged
class LeInt {
  @inline test(a: v128, b: v128): v128 {
    return i32x4.le_s(a, b);
  }
}

@final
@unmanaged
class GtInt {
  @inline test(a: v128, b: v128): v128 {
    return i32x4.gt_s(a, b);
  }
}

@final
@unmanaged
class GeInt {
  @inline test(a: v128, b: v128): v128 {
    return i32x4.ge_s(a, b);
  }
}

/** out = a == b (torch.eq). */
export function eq_f32(out: usize, a: usize, b: usize, dims: usize): void {
  strided2<Flags<Eq>>(out, a, b, dims, 0);
}

/** out = a != b (torch.ne). */
export function ne_f32(out: usize, a: usize, b: usize, dims: usize): void {
  strided2<Flags<Ne>>(out, a, b, dims, 0);
}

/** out = a < b (torch.lt). */
export function lt_f32(out: usize, a: usize, b: usize, dims: usize): void {
  strided2<Flags<Lt>>(out, a, b, dims, 0);
}

/** out = a <= b (torch.le). */
export function le_f32(out: usize, a: usize, b: usize, dims: usize): void {
  strided2<Flags<Le>>(out, a, b, dims, 0);
}

/** out = a > b (torch.gt). */
export function gt_f32(out: usize, a: usize, b: usize, dims: usize): void {
  strided2<Flags<Gt>>(out, a, b, dims, 0);
}

/** out = a >= b (torch.ge). */
export function ge_f32(out: usize, a: usize, b: usize, dims: usize): void {
  strided2<Flags<Ge>>(out, a, b, dims, 0);
}

/** out = a == b (torch.eq), of i32. */
export function eq_i32(out: usize, a: usize, b: usize, dims: usize): void {
  strided2<Flags<EqInt>>(out, a, b, dims, 0);
}

/** out = a != b (torch.ne), of i32. */
export function ne_i32(out: usize, a: usize, b: usize, dims: usize): void {
  strided2<Flags<NeInt>>(out, a, b, dims, 0);
}

/** out = a < b (torch.lt), of i32. */
export function lt_i32(out: usize, a: usize, b: usize, dims: usize): void {
  strided2<Flags<LtInt>>(out, a, b, dims, 0);
}

/** out = a <= b (torch.le), of i32. */
export function le_i32(out: usize, a: usize, b: usize, dims: usize): void {
  strided2<Flags<LeInt>>(out, a, b, dims, 0);
}

/** out = a > b (torch.gt), of i32. */
export function gt_i32(out: usize, a: usize, b: usize, dims: usize): void {
  strided2<Flags<GtInt>>(out, a, b, dims, 0);
}

/** out = a >= b (torch.ge), of i32. */
export function ge_i32(out: usize, a: usize, b: usize, dims: usize): void {
  strided2<Flags<GeInt>>(out, a, b, dims, 0);
}
