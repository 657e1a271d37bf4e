// Filling n contiguous elements. Every kernel overwrites out.
import { storePart } from "../lanes";

/** out = value (torch.full), of f32. */
export function fill_f32(out: usize, n: i32, value: f32): void {
  fill_32(out, n, reinterpret<i32>(value));
}

/** out = value, of i32 or of any 4 bytes. */
export function fill_32(out: usize, n: i32, value: i32): void {
  const v = i32x4.splat(value);
  for (; n >= 16; n -= 16, out += 64) {
    v128.store(out, v);
    v128.store(out, v, 16);
    v128.store(out, v, 32);
    v128.store(out, v, 48);
  }
  for (; n >= 4; n -= 4, out += 16) v128.store(out, v);
  if (n > 0) storePart(out, v, n);
}

/** out = the low byte of value, of u8. */
export function fill_u8(out: usize, n: i32, value: i32): void {
  memory.fill(out, <u8>value, n);
}
