// Folds over the middle axis of x[outer, r, inner]; shape.ts says how it is cut and what stride means.
import { Columns } from "../columns";
import { foldRow } from "../loops";
import { bytesOf } from "./shape";

/** out[o, i] = the fold over j of x[o, j, i], of f32 or i32. */
export function folds<F, T>(out: usize, x: usize, outer: i32, r: i32, inner: i32, stride: i32): void {
  const slab = bytesOf(r, stride),
    row = bytesOf(1, stride);
  for (let o = 0; o < outer; o++, out += row, x += slab) {
    if (stride == 1) store<T>(out, foldRow<F, T>(x, r));
    else Columns.fold<F>(out, x, r, inner, row);
  }
}
