// Shapes of reductions: [outer, r, inner], r being the axis that is reduced. stride is inner, and 1 means a row, taken
// along the vector; otherwise neighbouring columns share one. Of a single matrix (outer = 1) a kernel also does some
// columns: inner of them, beside each other, out of rows of `stride` elements; they get the bits they would have had
// among the others. So a call may be cut along outer, or along inner where outer is 1.

/** Bytes of r rows of `stride` elements of 4 bytes. */
@inline
export function bytesOf(r: i32, stride: i32): usize {
  return (<usize>r * <usize>stride) << 2;
}
