// Broadcasting binary ops of i32 and u8, which wrap: out[i] = a[i] op b[i] over dims = [rank, n_0 .., the strides of a,
// the strides of b], strides in elements, non-negative, 0 where an operand is repeated; out is contiguous. out may be
// an operand that is contiguous too. And functions of n contiguous i32. Every kernel overwrites out.
import { broadcast2, Integers, Values } from "../broadcast";
import { map } from "../loops";

@final
@unmanaged
class AddInt {
  @inline forward(a: v128, b: v128): v128 {
    return i32x4.add(a, b);
  }
}

@final
@unmanaged
class SubInt {
  @inline forward(a: v128, b: v128): v128 {
    return i32x4.sub(a, b);
  }
}

@final
@unmanaged
class MulInt {
  @inline forward(a: v128, b: v128): v128 {
    return i32x4.mul(a, b);
  }
}

@final
@unmanaged
class MaximumInt {
  @inline forward(a: v128, b: v128): v128 {
    return i32x4.max_s(a, b);
  }
}

@final
@unmanaged
class MinimumInt {
  @inline forward(a: v128, b: v128): v128 {
    return i32x4.min_s(a, b);
  }
}

@final
@unmanaged
class AddByte {
  @inline forward(a: v128, b: v128): v128 {
    return i8x16.add(a, b);
  }
}

@final
@unmanaged
class SubByte {
  @inline forward(a: v128, b: v128): v128 {
    return i8x16.sub(a, b);
  }
}

@final
@unmanaged
class MulByte {
  @inline forward(a: v128, b: v128): v128 {
    // As eight pairs: the product of the low bytes, and that of the high bytes in its place.
    const low = v128.and(i16x8.mul(a, b), i16x8.splat(0xff));
    return v128.or(low, i16x8.mul(i16x8.shr_u(a, 8), v128.and(b, i16x8.splat(<i16>0xff00))));
  }
}

@final
@unmanaged
class MaximumByte {
  @inline forward(a: v128, b: v128): v128 {
    return i8x16.max_u(a, b);
  }
}

@final
@unmanaged
class MinimumByte {
  @inline forward(a: v128, b: v128): v128 {
    return i8x16.min_u(a, b);
  }
}

@final
@unmanaged
class NegInt {
  @inline forward(x: v128): v128 {
    return i32x4.neg(x);
  }
}

@final
@unmanaged
class AbsInt {
  @inline forward(x: v128): v128 {
    return i32x4.abs(x);
  }
}

@final
@unmanaged
class SignInt {
  @inline forward(x: v128): v128 {
    return i32x4.min_s(i32x4.max_s(x, i32x4.splat(-1)), i32x4.splat(1));
  }
}

/** out = a + b (torch.add), of i32, modulo 2^32. */
export function add_forward_i32(out: usize, a: usize, b: usize, dims: usize): void {
  broadcast2<Values<AddInt>, i32>(out, a, b, dims);
}

/** out = a - b (torch.sub), of i32, modulo 2^32. */
export function sub_forward_i32(out: usize, a: usize, b: usize, dims: usize): void {
  broadcast2<Values<SubInt>, i32>(out, a, b, dims);
}

/** out = a * b (torch.mul), of i32, modulo 2^32. */
export function mul_forward_i32(out: usize, a: usize, b: usize, dims: usize): void {
  broadcast2<Values<MulInt>, i32>(out, a, b, dims);
}

/** out = the greater of a and b (torch.maximum), of i32. */
export function maximum_forward_i32(out: usize, a: usize, b: usize, dims: usize): void {
  broadcast2<Integers<MaximumInt>, i32>(out, a, b, dims);
}

/** out = the lesser of a and b (torch.minimum), of i32. */
export function minimum_forward_i32(out: usize, a: usize, b: usize, dims: usize): void {
  broadcast2<Integers<MinimumInt>, i32>(out, a, b, dims);
}

/** out = a + b (torch.add), of u8, modulo 256. */
export function add_forward_u8(out: usize, a: usize, b: usize, dims: usize): void {
  broadcast2<Integers<AddByte>, u8>(out, a, b, dims);
}

/** out = a - b (torch.sub), of u8, modulo 256. */
export function sub_forward_u8(out: usize, a: usize, b: usize, dims: usize): void {
  broadcast2<Integers<SubByte>, u8>(out, a, b, dims);
}

/** out = a * b (torch.mul), of u8, modulo 256. */
export function mul_forward_u8(out: usize, a: usize, b: usize, dims: usize): void {
  broadcast2<Integers<MulByte>, u8>(out, a, b, dims);
}

/** out = the greater of a and b (torch.maximum), of u8. */
export function maximum_forward_u8(out: usize, a: usize, b: usize, dims: usize): void {
  broadcast2<Integers<MaximumByte>, u8>(out, a, b, dims);
}

/** out = the lesser of a and b (torch.minimum), of u8. */
export function minimum_forward_u8(out: usize, a: usize, b: usize, dims: usize): void {
  broadcast2<Integers<MinimumByte>, u8>(out, a, b, dims);
}

/** out = -x (torch.neg), of i32; the least i32 stays. out may be x. */
export function neg_forward_i32(out: usize, x: usize, n: i32): void {
  map<NegInt>(out, x, n);
}

/** out = |x| (torch.abs), of i32; the least i32 stays. out may be x. */
export function abs_forward_i32(out: usize, x: usize, n: i32): void {
  map<AbsInt>(out, x, n);
}

/** out = the sign of x (torch.sign), of i32: 1, 0 or -1. out may be x. */
export function sign_forward_i32(out: usize, x: usize, n: i32): void {
  map<SignInt>(out, x, n);
}
