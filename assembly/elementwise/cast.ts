// Conversions between f32, i32 and u8 (Tensor.to), n contiguous elements. From f32 they truncate toward zero; what does
// not fit becomes the nearest number that does, and NaN becomes 0. Every kernel overwrites out.
import { map, mapFromBytes, mapToBytes } from "../loops";
import { Identity } from "../ops";

@final
@unmanaged
class FloatToInt {
  @inline forward(x: v128): v128 {
    return i32x4.trunc_sat_f32x4_s(x);
  }
}

@final
@unmanaged
class IntToFloat {
  @inline forward(x: v128): v128 {
    return f32x4.convert_i32x4_s(x);
  }
}

@final
@unmanaged
class IntToByte {
  @inline forward(x: v128): v128 {
    return v128.and(x, i32x4.splat(0xff));
  }
}

/** out = x as i32, saturating. out may be x. */
export function cast_f32_i32(out: usize, x: usize, n: i32): void {
  map<FloatToInt>(out, x, n);
}

/** out = x as u8, saturating: 0 to 255. */
export function cast_f32_u8(out: usize, x: usize, n: i32): void {
  mapToBytes<FloatToInt>(out, x, n);
}

/** out = x as f32, rounded to nearest. out may be x. */
export function cast_i32_f32(out: usize, x: usize, n: i32): void {
  map<IntToFloat>(out, x, n);
}

/** out = the low byte of x. */
export function cast_i32_u8(out: usize, x: usize, n: i32): void {
  mapToBytes<IntToByte>(out, x, n);
}

/** out = x as f32. */
export function cast_u8_f32(out: usize, x: usize, n: i32): void {
  mapFromBytes<IntToFloat>(out, x, n);
}

/** out = x as i32. */
export function cast_u8_i32(out: usize, x: usize, n: i32): void {
  mapFromBytes<Identity>(out, x, n);
}
