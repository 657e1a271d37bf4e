// Functions that cut and join tensors in ways of their own, triangles of matrices, and grids.
import { ops } from '../autograd.ts';
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import { normalizeDim, sizeAt } from '../ops/shapes.ts';
import { type Callable, callable } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { constantFor, type Dims } from './arguments.ts';
import { iota } from './places.ts';
import type { DiagFunction } from './rearrange.ts';
import { cat, type DimOptions, split, transpose, unsqueeze } from './shape.ts';

/** More parts nobody can use, and a list of them takes the memory of the process. */
const MOST_PARTS = 2 ** 20;

function checkParts(op: string, what: string, n: number): void {
  if (!(n >= 1 && n <= MOST_PARTS))
    throw new ArgumentError(`${op}: expected ${what} from 1 to ${MOST_PARTS}, got ${n}`);
}

/**
 * Views that cut x along `dim` into at most `chunks` parts of one size, of which the last may be smaller.
 * @throws ArgumentError unless chunks is from 1 to 2²⁰, ShapeError
 */
export const chunk = callable<
  Callable<[x: Tensor, chunks: number], [dim: number], DimOptions, Tensor[], ['x', 'chunks']>
>('chunk(x: Tensor, chunks: int, dim: int = 0)', (x: Tensor, chunks: number, dim: number) => {
  checkParts('chunk', 'chunks', chunks);
  const size = x.sizes[normalizeDim('chunk', dim, x.ndim)] ?? 0;
  // Of no elements there are as many parts as were asked for.
  if (size === 0 && x.ndim > 0) return split(x, new Array<number>(chunks).fill(0), dim);
  return split(x, Math.max(1, Math.ceil(size / chunks)), dim);
});

function parts(op: string, x: Tensor, sections: Dims, dim: number): Tensor[] {
  const [d, size] = sizeAt(op, x, dim);
  if (typeof sections === 'number') {
    checkParts(op, 'sections', sections);
    const least = Math.floor(size / sections);
    return split(
      x,
      Array.from({ length: sections }, (_, i) => least + Number(i < size % sections)),
      d,
    );
  }
  const at = sections.map((i) => Math.min(size, Math.max(0, i < 0 ? i + size : i)));
  return [...at, size].map((end, i) => {
    const start = i === 0 ? 0 : (at[i - 1] as number);
    return ops.slice({ x }, { dim: d, start, length: Math.max(0, end - start), step: 1 });
  });
}

/** A function that cuts a tensor along a dim. */
export type SectionFunction = Callable<
  [x: Tensor, sections: Dims],
  [dim: number],
  DimOptions,
  Tensor[],
  ['x', 'sections']
>;

/**
 * Views that cut x along `dim`: into `sections` parts, whose sizes differ by 1 at most, or before the listed positions.
 * @throws ArgumentError, ShapeError
 */
export const tensorSplit = callable<SectionFunction>(
  'tensorSplit(x: Tensor, sections: int|int[], dim: int = 0)',
  (x: Tensor, sections: Dims, dim: number) => parts('tensorSplit', x, sections, dim),
);

function evenParts(op: string, x: Tensor, sections: Dims, dim: number): Tensor[] {
  const size = x.sizes[dim];
  if (size === undefined) throw new ShapeError(`${op}: expected at least ${dim + 1} dims, got ${formatShape(x.sizes)}`);
  if (typeof sections === 'number' && size % sections !== 0)
    throw new ArgumentError(`${op}: expected a divisor of ${size}, the size of dim ${dim}, got ${sections}`);
  return parts(op, x, sections, dim);
}

/** {@link tensorSplit} of the columns, or of a vector, into parts of one size. @throws ShapeError, ArgumentError */
export const hsplit = callable('hsplit(x: Tensor, sections: int|int[])', (x: Tensor, sections: Dims): Tensor[] =>
  evenParts('hsplit', x, sections, x.ndim === 1 ? 0 : 1),
);

/** {@link tensorSplit} of the rows of a matrix into parts of one size. @throws ShapeError, ArgumentError */
export const vsplit = callable('vsplit(x: Tensor, sections: int|int[])', (x: Tensor, sections: Dims): Tensor[] => {
  if (x.ndim < 2) throw new ShapeError(`vsplit: expected at least 2 dims, got ${formatShape(x.sizes)}`);
  return evenParts('vsplit', x, sections, 0);
});

/** x with dims of size 1 put in front, or for the third of them behind, until there are `least`. */
function atLeast(x: Tensor, least: number): Tensor {
  let y = x;
  if (y.ndim === 0) y = ops.reshape({ x: y }, { shape: [1] });
  if (least > 1 && y.ndim === 1) y = unsqueeze(y, 0);
  return least > 2 && y.ndim === 2 ? unsqueeze(y, 2) : y;
}

/** Joins vectors, or the columns of other tensors. @throws ShapeError */
export const hstack = callable('hstack(tensors: Tensor[])', (tensors: readonly Tensor[]): Tensor => {
  const xs = tensors.map((x) => atLeast(x, 1));
  return cat(xs, xs[0]?.ndim === 1 ? 0 : 1);
});

/** Joins the rows of tensors; a vector is one. @throws ShapeError */
export const vstack = callable(
  'vstack(tensors: Tensor[])',
  (tensors: readonly Tensor[]): Tensor =>
    cat(
      tensors.map((x) => atLeast(x, 2)),
      0,
    ),
);

/** Joins tensors along dim 2, which those of fewer dims get. @throws ShapeError */
export const dstack = callable(
  'dstack(tensors: Tensor[])',
  (tensors: readonly Tensor[]): Tensor =>
    cat(
      tensors.map((x) => atLeast(x, 3)),
      2,
    ),
);

/** Joins vectors as columns, and matrices by their columns. @throws ShapeError */
export const columnStack = callable(
  'columnStack(tensors: Tensor[])',
  (tensors: readonly Tensor[]): Tensor =>
    cat(
      tensors.map((x) => (x.ndim < 2 ? ops.reshape({ x }, { shape: [x.size, 1] }) : x)),
      1,
    ),
);

/** Options of {@link meshgrid}. */
export interface MeshgridOptions {
  /**
   * Whether the first vector runs along dim 0, as an index of a matrix, or along dim 1, as x of a plane.
   * @defaultValue 'ij'
   */
  indexing?: 'ij' | 'xy';
}

/**
 * Views of the vectors, each stretched over a grid of all of them, along its own dim.
 * @throws ShapeError for more than 1 dim
 */
export const meshgrid = callable<{
  (tensors: readonly Tensor[], options?: MeshgridOptions): Tensor[];
  (...tensors: Tensor[]): Tensor[];
  (...args: [...tensors: Tensor[], options: MeshgridOptions]): Tensor[];
}>(
  "meshgrid(...tensors: Tensor, *, indexing: 'ij'|'xy' = 'ij')",
  (tensors: readonly Tensor[], indexing: 'ij' | 'xy') => {
    for (const { ndim, sizes } of tensors)
      if (ndim > 1) throw new ShapeError(`meshgrid: expected vectors, got ${formatShape(sizes)}`);
    const shape = tensors.map(({ size }) => size);
    const grids = tensors.map((x, d) =>
      ops.expand({ x: ops.reshape({ x }, { shape: shape.map((size, i) => (i === d ? size : 1)) }) }, { shape }),
    );
    return indexing === 'xy' && grids.length > 1 ? grids.map((grid) => transpose(grid, 0, 1)) : grids;
  },
);

/** Whether each place of the last two dims is on the diagonal or below it. */
function lower(rows: number, cols: number, diagonal: number, beside?: Tensor): Tensor {
  const column = ops.reshape({ x: iota(rows, beside) }, { shape: [rows, 1] });
  // Beyond the corners, a diagonal is as good as at the next one to them.
  const by = constantFor(beside, Math.min(cols, Math.max(-rows, diagonal)), 'i32');
  return ops.le({ a: iota(cols, beside), b: ops.add({ a: column, b: by }) });
}

/* @__NO_SIDE_EFFECTS__ */
const triangle = (name: 'tril' | 'triu'): DiagFunction =>
  callable<DiagFunction>(`${name}(x: Tensor, diagonal: int = 0)`, (x: Tensor, diagonal: number): Tensor => {
    const [rows, cols] = x.sizes.slice(-2);
    if (rows === undefined || cols === undefined)
      throw new ShapeError(`${name}: expected at least 2 dims, got ${formatShape(x.sizes)}`);
    const zero = constantFor(x, 0, x.dtype);
    return name === 'tril'
      ? ops.where({ condition: lower(rows, cols, diagonal, x), a: x, b: zero })
      : ops.where({ condition: lower(rows, cols, diagonal - 1, x), a: zero, b: x });
  });

/** A copy of the matrices of the last two dims with 0 above a diagonal. @throws ShapeError below 2 dims */
export const tril: DiagFunction = triangle('tril');

/** A copy of the matrices of the last two dims with 0 below a diagonal. @throws ShapeError below 2 dims */
export const triu: DiagFunction = triangle('triu');

/** Options of {@link trilIndices} and {@link triuIndices}. */
export interface TriangleOptions {
  /** How far the diagonal is to the right of the main one; negative: below it. @defaultValue 0 */
  offset?: number;
}

/** A function of the sizes of a matrix and one of its diagonals. */
export type TriangleFunction = Callable<
  [row: number, col: number],
  [offset: number],
  TriangleOptions,
  Tensor,
  ['row', 'col']
>;

/** How many places of a matrix are on a diagonal or below it: rows with none, rows with ever one more, full rows. */
function countLower(rows: number, cols: number, offset: number): number {
  const empty = Math.min(rows, Math.max(0, -offset));
  const end = Math.max(empty, Math.min(rows, Math.max(0, cols - 1 - offset)));
  return ((end - empty) * (empty + end + 1 + 2 * offset)) / 2 + (rows - end) * cols;
}

/* @__NO_SIDE_EFFECTS__ */
const indices = (name: 'trilIndices' | 'triuIndices'): TriangleFunction =>
  callable<TriangleFunction>(
    `${name}(row: int, col: int, offset: int = 0)`,
    (row: number, col: number, offset: number): Tensor => {
      if (row < 0 || col < 0) throw new ArgumentError(`${name}: expected sizes >= 0, got ${row} and ${col}`);
      const below = name === 'trilIndices';
      const mask = lower(row, col, below ? offset : offset - 1);
      const count = countLower(row, col, below ? offset : offset - 1);
      const shape = [row * col];
      const flat = ops.reshape({ x: below ? mask : ops.logicalNot({ x: mask }) }, { shape });
      const index = ops.maskPositions({ mask: flat }, { count: below ? count : row * col - count });
      const places = [ops.reshape({ x: iota(row) }, { shape: [row, 1] }), iota(col)].map((x) =>
        ops.indexSelect(
          { x: ops.reshape({ x: ops.expand({ x }, { shape: [row, col] }) }, { shape }), index },
          { dim: 0 },
        ),
      );
      return ops.concat({ xs: places.map((x) => unsqueeze(x, 0)) }, { dim: 0 });
    },
  );

/** The rows and the columns of the places on a diagonal and below it, i32 [2, n], in row-major order. */
export const trilIndices: TriangleFunction = indices('trilIndices');

/** The rows and the columns of the places on a diagonal and above it, i32 [2, n], in row-major order. */
export const triuIndices: TriangleFunction = indices('triuIndices');
