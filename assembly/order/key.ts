// Numbers that compare as unsigned integers, so that one loop sorts f32 and i32, up and down.
import { loadLanes } from "../lanes";

/** What sets the order: elements are f32; the greatest come first; every NaN is greater than all, also where not. */
@inline export const FLOATING: i32 = 1;
@inline export const DESCENDING: i32 = 2;
@inline export const RANKED: i32 = 4;

/**
 * The key of an element by its bits: greater for what is greater. Of f32, -0 has the key of 0, and every NaN the
 * greatest one.
 */
@inline
export function keyOf(bits: i32, order: i32): u32 {
  let key = <u32>bits ^ 0x80000000;
  if (order & FLOATING) {
    if ((<u32>bits & 0x7fffffff) > 0x7f800000) key = u32.MAX_VALUE;
    else if (bits == i32.MIN_VALUE) key = 0x80000000;
    else key = <u32>bits ^ (<u32>(bits >> 31) | 0x80000000);
  }
  return order & DESCENDING ? ~key : key;
}

/** keyOf of the first `lanes` elements at p, as signed integers; with `order` RANKED, every NaN has the greatest. */
export function keysAt(p: usize, lanes: i32, order: i32): v128 {
  const v = loadLanes(p, lanes);
  let key = v;
  if (order & FLOATING) {
    // A sum with 0 makes 0 of -0, and a negative number is the less, the more bits follow its sign.
    const bits = f32x4.add(v, f32x4.splat(0));
    key = v128.xor(bits, i32x4.shr_u(i32x4.shr_s(bits, 31), 1));
  }
  if (order & DESCENDING) key = v128.not(key);
  if (!(order & FLOATING)) return key;
  const nan = (order & (DESCENDING | RANKED)) == DESCENDING ? i32.MIN_VALUE : i32.MAX_VALUE;
  return v128.bitselect(i32x4.splat(nan), key, f32x4.ne(v, v));
}
