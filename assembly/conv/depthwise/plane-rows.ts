// What four or eight neighbours of the rows of a plane have beside them: elements, or the zeros that pad the plane.

/** In the workspace: where the elements before and behind some columns of a plane are, and how far from row to row. */
@final
@unmanaged
export class Beside {
  left: usize;
  leftLine: usize;
  right: usize;
  rightLine: usize;
  /** 0, which is no address. */
  zero: usize;

  /** Room for two vectors. */
  @inline spare(): usize {
    return changetype<usize>(this) + 32;
  }
  /** Room for a row of zeros, with one before it. */
  @inline row(): usize {
    return changetype<usize>(this) + 64;
  }
  /** For `bytes` of columns from the i-th byte of rows of `line` bytes from x; the last ones are at `last`. */
  @inline columns(x: usize, i: usize, last: usize, bytes: usize, line: usize): void {
    const zero = changetype<usize>(this) + offsetof<Beside>("zero");
    this.zero = 0;
    this.left = i == 0 ? zero : x + i - 4;
    this.leftLine = i == 0 ? 0 : line;
    this.right = i == last ? zero : x + i + bytes;
    this.rightLine = i == last ? 0 : line;
  }
}

@inline
export function evens(p: usize): v128 {
  return v128.shuffle<i32>(v128.load(p), v128.load(p, 16), 0, 2, 4, 6);
}
@inline
export function odds(p: usize): v128 {
  return v128.shuffle<i32>(v128.load(p), v128.load(p, 16), 1, 3, 5, 7);
}
