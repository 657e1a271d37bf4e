// Numbers that compare as unsigned integers, so that one loop sorts f32 and i32, up and down.

/** What sets the order: bit 0 says that elements are f32, bit 1 that the greatest come first. */
@inline export const FLOATING: i32 = 1;
@inline export const DESCENDING: i32 = 2;

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
