// Moves between strided layouts: dims = [rank, n_0 .., the strides of out, the strides of x], strides in elements and
// of either sign. Two axes make a plane, the others recur around it: the axis along which out is contiguous, and the
// one along which x is. Where they are one axis the plane is rows; where they are two it is a transposition.

/** Stores a vector, or an element, over what is there. */
@final
@unmanaged
class Put {
  @inline copies(): bool {
    return true;
  }
  @inline vector(p: usize, v: v128): void {
    v128.store(p, v);
  }
  @inline element<T>(p: usize, v: T): void {
    store<T>(p, v);
  }
}

/** Adds a vector, or an element, of f32 to what is there. */
@final
@unmanaged
class Accumulate {
  @inline copies(): bool {
    return false;
  }
  @inline vector(p: usize, v: v128): void {
    v128.store(p, f32x4.add(v128.load(p), v));
  }
  @inline element<T>(p: usize, v: T): void {
    store<T>(p, load<T>(p) + v);
  }
}

/** Below this many bytes a loop is faster than memory.copy, which engines call. */
const COPY_BYTES: usize = 1024;
/** A tile's edges in elements: whole cache lines are written, and the lines in use fit one way each of a small L1. */
const TILE_ROWS: i32 = 8;
const TILE_COLUMNS: i32 = 16;

/** The size of an axis; 1 for axis -1, which stands for none. */
function sizeOf(dims: usize, axis: i32): i32 {
  return axis < 0 ? 1 : load<i32>(dims + ((<usize>(1 + axis)) << 2));
}

/** The stride of an axis for operand 0 or 1, in elements; 0 for axis -1. */
function strideOf(dims: usize, operand: i32, axis: i32): usize {
  return axis < 0 ? 0 : <usize>load<i32>(dims + ((<usize>(1 + (1 + operand) * load<i32>(dims) + axis)) << 2));
}

/** The stride of an axis in bytes: of out for operand 0, of x for operand 1. */
@inline
function stepOf<T>(dims: usize, operand: i32, axis: i32): usize {
  return strideOf(dims, operand, axis) * sizeof<T>();
}

/** The last axis of more than one element with this operand's stride 1, or -1. */
function unitAxis<T>(dims: usize, operand: i32): i32 {
  let axis = load<i32>(dims) - 1;
  while (axis >= 0 && (sizeOf(dims, axis) == 1 || stepOf<T>(dims, operand, axis) != sizeof<T>())) axis--;
  return axis;
}

@inline
function row<M, T>(out: usize, x: usize, n: i32): void {
  const m = changetype<M>(0);
  let bytes = <usize>n * sizeof<T>();
  if (m.copies() && bytes >= COPY_BYTES) {
    memory.copy(out, x, bytes);
    return;
  }
  for (; bytes >= 64; bytes -= 64, out += 64, x += 64) {
    m.vector(out, v128.load(x));
    m.vector(out + 16, v128.load(x, 16));
    m.vector(out + 32, v128.load(x, 32));
    m.vector(out + 48, v128.load(x, 48));
  }
  for (; bytes >= 16; bytes -= 16, out += 16, x += 16) m.vector(out, v128.load(x));
  for (; bytes > 0; bytes -= sizeof<T>(), out += sizeof<T>(), x += sizeof<T>()) m.element<T>(out, load<T>(x));
}

/** Four rows of x, xStep apart, become four columns of out. */
@inline
function transpose4<M>(out: usize, outStep: usize, x: usize, xStep: usize): void {
  const m = changetype<M>(0);
  const a = v128.load(x),
    b = v128.load(x + xStep),
    c = v128.load(x + 2 * xStep),
    d = v128.load(x + 3 * xStep);
  const abLow = v128.shuffle<i32>(a, b, 0, 4, 1, 5),
    abHigh = v128.shuffle<i32>(a, b, 2, 6, 3, 7);
  const cdLow = v128.shuffle<i32>(c, d, 0, 4, 1, 5),
    cdHigh = v128.shuffle<i32>(c, d, 2, 6, 3, 7);
  m.vector(out, v128.shuffle<i64>(abLow, cdLow, 0, 2));
  m.vector(out + outStep, v128.shuffle<i64>(abLow, cdLow, 1, 3));
  m.vector(out + 2 * outStep, v128.shuffle<i64>(abHigh, cdHigh, 0, 2));
  m.vector(out + 3 * outStep, v128.shuffle<i64>(abHigh, cdHigh, 1, 3));
}

/** The plane element by element. */
@inline
function plane<M, T>(
  out: usize,
  x: usize,
  rows: i32,
  outRow: usize,
  xRow: usize,
  n: i32,
  outStep: usize,
  xStep: usize,
): void {
  const m = changetype<M>(0);
  for (; rows > 0; rows--, out += outRow, x += xRow) {
    for (let i = 0, p = out, q = x; i < n; i++, p += outStep, q += xStep) m.element<T>(p, load<T>(q));
  }
}

/**
 * The plane whose columns lie side by side in out, and whose rows do in x. Elements of 4 bytes go in blocks of 4 by 4,
 * the blocks in tiles, so that both sides use whole cache lines; what is left at the edges goes by elements.
 */
function transposition<M, T>(out: usize, x: usize, rows: i32, outRow: usize, columns: i32, xColumn: usize): void {
  const blockRows = sizeof<T>() == 4 ? rows & ~3 : 0,
    blockColumns = columns & ~3;
  for (let i0 = 0; i0 < blockRows; i0 += TILE_ROWS) {
    const iEnd = min(i0 + TILE_ROWS, blockRows);
    for (let j0 = 0; j0 < blockColumns; j0 += TILE_COLUMNS) {
      const jEnd = min(j0 + TILE_COLUMNS, blockColumns);
      for (let i = i0; i < iEnd; i += 4) {
        for (let j = j0; j < jEnd; j += 4) {
          transpose4<M>(
            out + <usize>i * outRow + ((<usize>j) << 2),
            outRow,
            x + <usize>j * xColumn + ((<usize>i) << 2),
            xColumn,
          );
        }
      }
    }
  }
  const done = <usize>blockColumns,
    left = <usize>blockRows;
  plane<M, T>(
    out + done * sizeof<T>(),
    x + done * xColumn,
    blockRows,
    outRow,
    sizeof<T>(),
    columns - blockColumns,
    sizeof<T>(),
    xColumn,
  );
  plane<M, T>(
    out + left * outRow,
    x + left * sizeof<T>(),
    rows - blockRows,
    outRow,
    sizeof<T>(),
    columns,
    sizeof<T>(),
    xColumn,
  );
}

/** The axes from `axis` on but `inner` and `outer`, around the plane of these two. Below 0: there is none. */
function around<M, T>(out: usize, x: usize, dims: usize, axis: i32, outer: i32, inner: i32): void {
  while (axis == outer || axis == inner) axis++;
  if (axis < load<i32>(dims)) {
    const outStep = stepOf<T>(dims, 0, axis),
      xStep = stepOf<T>(dims, 1, axis);
    for (let i = sizeOf(dims, axis); i > 0; i--, out += outStep, x += xStep) {
      around<M, T>(out, x, dims, axis + 1, outer, inner);
    }
    return;
  }
  const rows = sizeOf(dims, outer),
    n = sizeOf(dims, inner);
  const outRow = stepOf<T>(dims, 0, outer),
    xRow = stepOf<T>(dims, 1, outer);
  const outStep = stepOf<T>(dims, 0, inner),
    xStep = stepOf<T>(dims, 1, inner);
  if (outStep == sizeof<T>() && xStep == sizeof<T>()) {
    for (let i = 0; i < rows; i++, out += outRow, x += xRow) row<M, T>(out, x, n);
  } else if (outStep == sizeof<T>() && xRow == sizeof<T>()) {
    transposition<M, T>(out, x, rows, outRow, n, xStep);
  } else {
    plane<M, T>(out, x, rows, outRow, xRow, n, outStep, xStep);
  }
}

function move<M, T>(out: usize, x: usize, dims: usize): void {
  const last = load<i32>(dims) - 1;
  let inner = unitAxis<T>(dims, 0),
    outer = unitAxis<T>(dims, 1);
  if (inner < 0) inner = outer < last ? last : last - 1;
  if (outer < 0 || outer == inner) outer = inner < last ? last : last - 1;
  around<M, T>(out, x, dims, 0, outer, inner);
}

/**
 * out = x, elements of 4 bytes between two strided layouts of the same dims (Tensor.contiguous, copy_). They may not
 * overlap. Overwrites what out's strides name, and nothing between.
 */
export function copy_32(out: usize, x: usize, dims: usize): void {
  move<Put, u32>(out, x, dims);
}

/** As copy_32, for elements of one byte. */
export function copy_8(out: usize, x: usize, dims: usize): void {
  move<Put, u8>(out, x, dims);
}

/**
 * out += x between two strided layouts of the same dims: the gradient of a view. They may not overlap. Accumulates;
 * where a stride of 0 names an element of out again and again, it gets the sum, in an order that dims alone decide.
 */
export function add_strided_f32(out: usize, x: usize, dims: usize): void {
  move<Accumulate, f32>(out, x, dims);
}
