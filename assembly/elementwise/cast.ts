// Conversions between f32, i32 and u8 (Tensor.to), n contiguous elements. From f32 they truncate toward zero; what does
// not fit becomes the nearest number that does, and NaN becomes 0. Every kernel overwrites out.
import { loadBytes, loadLanes, narrowed, storeBytes, storeLanes, widened } from "../lanes";
import { map } from "../loops";
import { Identity } from "../ops";

/** out[i] = F.forward(x[i]), an i32 brought within 0 and 255, as a byte. */
@inline
function mapToBytes<F>(out: usize, x: usize, n: i32): void {
  const f = changetype<F>(0);
  for (; n >= 16; n -= 16, out += 16, x += 64) {
    const a = f.forward(v128.load(x)),
      b = f.forward(v128.load(x, 16));
    v128.store(out, narrowed(a, b, f.forward(v128.load(x, 32)), f.forward(v128.load(x, 48))));
  }
  for (; n > 0; n -= 4, out += 4, x += 16) {
    const lanes = min(n, 4);
    const v = f.forward(loadLanes(x, lanes));
    storeBytes(out, narrowed(v, v, v, v), lanes);
  }
}

/** out[i] = F.forward(x[i]), for bytes x, given as i32s. */
@inline
function mapFromBytes<F>(out: usize, x: usize, n: i32): void {
  const f = changetype<F>(0);
  for (; n >= 16; n -= 16, out += 64, x += 16) {
    v128.store(out, f.forward(widened(v128.load32_zero(x))));
    v128.store(out, f.forward(widened(v128.load32_zero(x, 4))), 16);
    v128.store(out, f.forward(widened(v128.load32_zero(x, 8))), 32);
    v128.store(out, f.forward(widened(v128.load32_zero(x, 12))), 48);
  }
  for (; n > 0; n -= 4, out += 16, x += 4) {
    const lanes = min(n, 4);
    storeLanes(out, f.forward(widened(loadBytes(x, lanes))), lanes);
  }
}

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
