// Broadcasting comparisons: out[i] = a[i] op b[i] ? 1 : 0 as u8, over dims = [rank, n_0 .., the strides of a, the
// strides of b], strides in elements, non-negative, 0 where an operand is repeated; out is contiguous and apart from
// both where they have 4 bytes. NaN compares as in IEEE 754: it differs from everything. Every kernel overwrites out.
import { broadcast2, broadcastSwapped2, Flags, Integers } from "../broadcast";

@final
@unmanaged
class Eq {
  @inline forward(a: v128, b: v128): v128 {
    return f32x4.eq(a, b);
  }
}

@final
@unmanaged
class Ne {
  @inline forward(a: v128, b: v128): v128 {
    return f32x4.ne(a, b);
  }
}

@final
@unmanaged
class Lt {
  @inline forward(a: v128, b: v128): v128 {
    return f32x4.lt(a, b);
  }
}

@final
@unmanaged
class Le {
  @inline forward(a: v128, b: v128): v128 {
    return f32x4.le(a, b);
  }
}

@final
@unmanaged
class EqInt {
  @inline forward(a: v128, b: v128): v128 {
    return i32x4.eq(a, b);
  }
}

@final
@unmanaged
class NeInt {
  @inline forward(a: v128, b: v128): v128 {
    return i32x4.ne(a, b);
  }
}

@final
@unmanaged
class LtInt {
  @inline forward(a: v128, b: v128): v128 {
    return i32x4.lt_s(a, b);
  }
}

@final
@unmanaged
class LeInt {
  @inline forward(a: v128, b: v128): v128 {
    return i32x4.le_s(a, b);
  }
}

/** 1 in the bytes that are all ones. */
@inline
function oneOf(mask: v128): v128 {
  return v128.and(mask, i8x16.splat(1));
}

@final
@unmanaged
class EqByte {
  @inline forward(a: v128, b: v128): v128 {
    return oneOf(i8x16.eq(a, b));
  }
}

@final
@unmanaged
class NeByte {
  @inline forward(a: v128, b: v128): v128 {
    return oneOf(i8x16.ne(a, b));
  }
}

@final
@unmanaged
class LtByte {
  @inline forward(a: v128, b: v128): v128 {
    return oneOf(i8x16.lt_u(a, b));
  }
}

@final
@unmanaged
class LeByte {
  @inline forward(a: v128, b: v128): v128 {
    return oneOf(i8x16.le_u(a, b));
  }
}

@final
@unmanaged
class GtByte {
  @inline forward(a: v128, b: v128): v128 {
    return oneOf(i8x16.gt_u(a, b));
  }
}

@final
@unmanaged
class GeByte {
  @inline forward(a: v128, b: v128): v128 {
    return oneOf(i8x16.ge_u(a, b));
  }
}

/** out = a == b (torch.eq). */
export function eq_f32(out: usize, a: usize, b: usize, dims: usize): void {
  broadcast2<Flags<Eq>, f32>(out, a, b, dims);
}

/** out = a != b (torch.ne). */
export function ne_f32(out: usize, a: usize, b: usize, dims: usize): void {
  broadcast2<Flags<Ne>, f32>(out, a, b, dims);
}

/** out = a < b (torch.lt). */
export function lt_f32(out: usize, a: usize, b: usize, dims: usize): void {
  broadcast2<Flags<Lt>, f32>(out, a, b, dims);
}

/** out = a <= b (torch.le). */
export function le_f32(out: usize, a: usize, b: usize, dims: usize): void {
  broadcast2<Flags<Le>, f32>(out, a, b, dims);
}

/** out = a > b (torch.gt). */
export function gt_f32(out: usize, a: usize, b: usize, dims: usize): void {
  broadcastSwapped2<Flags<Lt>, f32>(out, a, b, dims);
}

/** out = a >= b (torch.ge). */
export function ge_f32(out: usize, a: usize, b: usize, dims: usize): void {
  broadcastSwapped2<Flags<Le>, f32>(out, a, b, dims);
}

/** out = a == b (torch.eq), of i32. */
export function eq_i32(out: usize, a: usize, b: usize, dims: usize): void {
  broadcast2<Flags<EqInt>, i32>(out, a, b, dims);
}

/** out = a != b (torch.ne), of i32. */
export function ne_i32(out: usize, a: usize, b: usize, dims: usize): void {
  broadcast2<Flags<NeInt>, i32>(out, a, b, dims);
}

/** out = a < b (torch.lt), of i32. */
export function lt_i32(out: usize, a: usize, b: usize, dims: usize): void {
  broadcast2<Flags<LtInt>, i32>(out, a, b, dims);
}

/** out = a <= b (torch.le), of i32. */
export function le_i32(out: usize, a: usize, b: usize, dims: usize): void {
  broadcast2<Flags<LeInt>, i32>(out, a, b, dims);
}

/** out = a > b (torch.gt), of i32. */
export function gt_i32(out: usize, a: usize, b: usize, dims: usize): void {
  broadcastSwapped2<Flags<LtInt>, i32>(out, a, b, dims);
}

/** out = a >= b (torch.ge), of i32. */
export function ge_i32(out: usize, a: usize, b: usize, dims: usize): void {
  broadcastSwapped2<Flags<LeInt>, i32>(out, a, b, dims);
}

/** out = a == b (torch.eq), of u8. out may be an operand that is contiguous. */
export function eq_u8(out: usize, a: usize, b: usize, dims: usize): void {
  broadcast2<Integers<EqByte>, u8>(out, a, b, dims);
}

/** out = a != b (torch.ne), of u8. out may be an operand that is contiguous. */
export function ne_u8(out: usize, a: usize, b: usize, dims: usize): void {
  broadcast2<Integers<NeByte>, u8>(out, a, b, dims);
}

/** out = a < b (torch.lt), of u8. out may be an operand that is contiguous. */
export function lt_u8(out: usize, a: usize, b: usize, dims: usize): void {
  broadcast2<Integers<LtByte>, u8>(out, a, b, dims);
}

/** out = a <= b (torch.le), of u8. out may be an operand that is contiguous. */
export function le_u8(out: usize, a: usize, b: usize, dims: usize): void {
  broadcast2<Integers<LeByte>, u8>(out, a, b, dims);
}

/** out = a > b (torch.gt), of u8. out may be an operand that is contiguous. */
export function gt_u8(out: usize, a: usize, b: usize, dims: usize): void {
  broadcast2<Integers<GtByte>, u8>(out, a, b, dims);
}

/** out = a >= b (torch.ge), of u8. out may be an operand that is contiguous. */
export function ge_u8(out: usize, a: usize, b: usize, dims: usize): void {
  broadcast2<Integers<GeByte>, u8>(out, a, b, dims);
}
