// Bitwise ops of i32 and u8, and logical ops of u8. The binary ones broadcast over dims = [rank, n_0 .., the strides of
// a, the strides of b], strides in elements, non-negative, 0 where an operand is repeated; out is contiguous. out may
// be an operand that is contiguous too. For logical ops every value but 0 is true, and results are 0 or 1. Every kernel
// overwrites out.
import { broadcast2, Integers } from "../broadcast";
import { map, mapBytes } from "../loops";

@final
@unmanaged
class And {
  @inline forward(a: v128, b: v128): v128 {
    return v128.and(a, b);
  }
}

@final
@unmanaged
class Or {
  @inline forward(a: v128, b: v128): v128 {
    return v128.or(a, b);
  }
}

@final
@unmanaged
class Xor {
  @inline forward(a: v128, b: v128): v128 {
    return v128.xor(a, b);
  }
}

@final
@unmanaged
class Not {
  @inline forward(x: v128): v128 {
    return v128.not(x);
  }
}

/** 1 in the bytes of x that are not 0. */
@inline
function truth(x: v128): v128 {
  return i8x16.min_u(x, i8x16.splat(1));
}

@final
@unmanaged
class LogicalAnd {
  @inline forward(a: v128, b: v128): v128 {
    return v128.and(truth(a), truth(b));
  }
}

@final
@unmanaged
class LogicalOr {
  @inline forward(a: v128, b: v128): v128 {
    return truth(v128.or(a, b));
  }
}

@final
@unmanaged
class LogicalXor {
  @inline forward(a: v128, b: v128): v128 {
    return v128.xor(truth(a), truth(b));
  }
}

@final
@unmanaged
class LogicalNot {
  @inline forward(x: v128): v128 {
    return v128.xor(truth(x), i8x16.splat(1));
  }
}

/** out = a & b (torch.bitwise_and), of i32. */
export function and_forward_i32(out: usize, a: usize, b: usize, dims: usize): void {
  broadcast2<Integers<And>, i32>(out, a, b, dims);
}

/** out = a | b (torch.bitwise_or), of i32. */
export function or_forward_i32(out: usize, a: usize, b: usize, dims: usize): void {
  broadcast2<Integers<Or>, i32>(out, a, b, dims);
}

/** out = a ^ b (torch.bitwise_xor), of i32. */
export function xor_forward_i32(out: usize, a: usize, b: usize, dims: usize): void {
  broadcast2<Integers<Xor>, i32>(out, a, b, dims);
}

/** out = a & b (torch.bitwise_and), of u8. */
export function and_forward_u8(out: usize, a: usize, b: usize, dims: usize): void {
  broadcast2<Integers<And>, u8>(out, a, b, dims);
}

/** out = a | b (torch.bitwise_or), of u8. */
export function or_forward_u8(out: usize, a: usize, b: usize, dims: usize): void {
  broadcast2<Integers<Or>, u8>(out, a, b, dims);
}

/** out = a ^ b (torch.bitwise_xor), of u8. */
export function xor_forward_u8(out: usize, a: usize, b: usize, dims: usize): void {
  broadcast2<Integers<Xor>, u8>(out, a, b, dims);
}

/** out = ~x (torch.bitwise_not), of n i32. out may be x. */
export function not_forward_i32(out: usize, x: usize, n: i32): void {
  map<Not>(out, x, n);
}

/** out = ~x (torch.bitwise_not), of n u8. out may be x. */
export function not_forward_u8(out: usize, x: usize, n: i32): void {
  mapBytes<Not>(out, x, n);
}

/** out = a && b (torch.logical_and), of u8. */
export function logical_and_u8(out: usize, a: usize, b: usize, dims: usize): void {
  broadcast2<Integers<LogicalAnd>, u8>(out, a, b, dims);
}

/** out = a || b (torch.logical_or), of u8. */
export function logical_or_u8(out: usize, a: usize, b: usize, dims: usize): void {
  broadcast2<Integers<LogicalOr>, u8>(out, a, b, dims);
}

/** out = whether one of a and b alone is true (torch.logical_xor), of u8. */
export function logical_xor_u8(out: usize, a: usize, b: usize, dims: usize): void {
  broadcast2<Integers<LogicalXor>, u8>(out, a, b, dims);
}

/** out = x == 0 (torch.logical_not), of n u8. out may be x. */
export function logical_not_u8(out: usize, x: usize, n: i32): void {
  mapBytes<LogicalNot>(out, x, n);
}
