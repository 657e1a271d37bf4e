// out[i] = cond[i] ? a[i] : b[i]: the one kernel with three operands to broadcast. cond is u8, any value but 0 being
// true; values of type T have 4 bytes or 1.
import { broadcast3 } from "../broadcast3";
import { select, widened } from "../lanes";

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

@final
@unmanaged
class Where<T> {
  @inline step(bytes: v128, a: v128, b: v128): v128 {
    return pick<T>(zeros<T>(bytes), a, b);
  }
}

/**
 * out = cond ? a : b (torch.where), of f32, or of any 4 bytes such as i32. dims = [rank, n_0 .., the strides of cond,
 * of a, of b], strides in elements, non-negative, 0 where an operand is repeated; out is contiguous, and may be a or b
 * where that is contiguous too. Overwrites out.
 */
export function where_f32(out: usize, cond: usize, a: usize, b: usize, dims: usize): void {
  broadcast3<Where<u32>, u32>(out, cond, a, b, dims);
}

/** As where_f32, of u8; out may be cond too, where that is contiguous. */
export function where_u8(out: usize, cond: usize, a: usize, b: usize, dims: usize): void {
  broadcast3<Where<u8>, u8>(out, cond, a, b, dims);
}
