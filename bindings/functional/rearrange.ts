// Functions that turn, repeat and stretch tensors, and diagonals of them. They are no methods: a bundle has those that
// a program calls.
import { familyOps, ops } from '../autograd.ts';
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import { rearrangeRows } from '../ops/rearrange.ts';
import { broadcastShapes, normalizeDim } from '../ops/shapes.ts';
import { type Callable, callable } from '../signature.ts';
import type { Shape, Tensor } from '../tensor.ts';
import type { Dims } from './arguments.ts';
import { eachOnce } from './places.ts';
import { permute, reshape, type SizedFunction, transpose, view } from './shape.ts';

const own = familyOps(rearrangeRows);

/** A function of a list of dims, which may also be given one by one. */
export type DimsFunction = {
  (x: Tensor, dims: readonly number[]): Tensor;
  (x: Tensor, ...dims: number[]): Tensor;
};

const flipped = (op: string, x: Tensor, dims: readonly number[]): Tensor =>
  own.flip({ x }, { dims: x.ndim === 0 ? [] : eachOnce(op, dims, x.ndim) });

/** A copy with the elements along `dims` in reverse order. @throws ShapeError */
export const flip = callable<DimsFunction>('flip(x: Tensor, ...dims: int)', (x: Tensor, dims: readonly number[]) =>
  flipped('flip', x, dims),
);

/** A copy with its columns, dim 1, in reverse order. @throws ShapeError below 2 dims */
export const fliplr = callable('fliplr(x: Tensor)', (x: Tensor): Tensor => {
  if (x.ndim < 2) throw new ShapeError(`fliplr: expected at least 2 dims, got ${formatShape(x.sizes)}`);
  return flipped('fliplr', x, [1]);
});

/** A copy with its rows, dim 0, in reverse order. @throws ShapeError for a single number */
export const flipud = callable('flipud(x: Tensor)', (x: Tensor): Tensor => {
  if (x.ndim < 1) throw new ShapeError('flipud: expected at least 1 dim, got a single number');
  return flipped('flipud', x, [0]);
});

/** Options of {@link roll}. */
export interface RollOptions {
  /** The dims along which elements move, one for each shift; none: along the flattened tensor. @defaultValue [] */
  dims?: Dims;
}

/**
 * A copy whose elements have moved by `shifts` along `dims`; those that leave at the end come back at the front.
 * @throws ArgumentError unless there are as many shifts as dims
 */
export const roll = callable<Callable<[x: Tensor, shifts: Dims], [dims: Dims], RollOptions, Tensor, ['x', 'shifts']>>(
  'roll(x: Tensor, shifts: int|int[], dims: int|int[] = [])',
  (x: Tensor, shifts: Dims, dims: Dims): Tensor => {
    const [by, along] = [[shifts].flat(), [dims].flat()];
    if (along.length === 0 && by.length === 1) return reshape(roll(reshape(x, [-1]), by, [0]), x.sizes);
    if (by.length !== along.length)
      throw new ArgumentError(
        `roll: expected as many shifts as dims, got ${formatShape(by)} and ${formatShape(along)}`,
      );
    let y = x;
    for (const [i, dim] of along.entries()) {
      const d = normalizeDim('roll', dim, x.ndim);
      const size = x.sizes[d] ?? 0;
      const shift = size === 0 ? 0 : (((by[i] as number) % size) + size) % size;
      if (shift === 0) continue;
      const part = (start: number, length: number): Tensor => ops.slice({ x: y }, { dim: d, start, length, step: 1 });
      y = ops.concat({ xs: [part(size - shift, shift), part(0, size - shift)] }, { dim: d });
    }
    return y === x ? ops.contiguous({ x }) : y;
  },
);

/** Options of {@link rot90}. */
export interface Rot90Options {
  /** How many quarter turns. @defaultValue 1 */
  k?: number;
  /** The plane: from the first dim towards the second. @defaultValue [0, 1] */
  dims?: readonly number[];
}

/** A copy turned by quarter turns in the plane of two dims. @throws ShapeError */
export const rot90 = callable<Callable<[x: Tensor], [k: number, dims: readonly number[]], Rot90Options, Tensor>>(
  'rot90(x: Tensor, k: int = 1, dims: int[] = [0, 1])',
  (x: Tensor, k: number, dims: readonly number[]): Tensor => {
    const [a, b, ...rest] = eachOnce('rot90', dims, x.ndim);
    if (a === undefined || b === undefined || rest.length > 0 || x.ndim < 2)
      throw new ShapeError(`rot90: expected two dims of a tensor of at least 2, got ${formatShape(dims)} of ${x.ndim}`);
    const turns = ((k % 4) + 4) % 4;
    if (turns === 0) return ops.contiguous({ x });
    if (turns === 2) return flipped('rot90', x, [a, b]);
    return turns === 1 ? transpose(flipped('rot90', x, [b]), a, b) : flipped('rot90', transpose(x, a, b), [b]);
  },
);

/** x with each dim repeated as a whole. One dim after the other, so that no tensor in between has more dims. */
function repeated(op: string, x: Tensor, times: Shape): Tensor {
  if (times.length < x.ndim || !times.every((n) => n >= 0))
    throw new ShapeError(
      `${op}: expected a number >= 0 for each dim of ${formatShape(x.sizes)}, got ${formatShape(times)}`,
    );
  let y = reshape(x, [...new Array<number>(times.length - x.ndim).fill(1), ...x.sizes]);
  for (let d = times.length - 1; d >= 0; d--) {
    const n = times[d] as number;
    if (n === 1) continue;
    const outer = y.sizes.slice(0, d).reduce((a, b) => a * b, 1);
    const inner = y.sizes.slice(d).reduce((a, b) => a * b, 1);
    const rows = ops.expand({ x: reshape(y, [outer, 1, inner]) }, { shape: [outer, n, inner] });
    y = reshape(rows, y.sizes.with(d, (y.sizes[d] as number) * n));
  }
  return y.block === x.block ? ops.contiguous({ x: y }) : y;
}

/**
 * A copy that holds x `repeats[d]` times along each dim; more numbers than dims put dims in front.
 * @throws ShapeError for fewer numbers than dims
 */
export const repeat = callable<{
  (x: Tensor, repeats: Shape): Tensor;
  (x: Tensor, ...repeats: number[]): Tensor;
}>('repeat(x: Tensor, ...repeats: int)', (x: Tensor, repeats: Shape) => repeated('repeat', x, repeats));

/** As {@link repeat}; for fewer numbers than dims, the last ones are meant. */
export const tile = callable<DimsFunction>('tile(x: Tensor, ...dims: int)', (x: Tensor, dims: readonly number[]) =>
  repeated('tile', x, [...new Array<number>(Math.max(0, x.ndim - dims.length)).fill(1), ...dims]),
);

/** A view of x stretched to `shape`. @throws ShapeError where a size other than 1 would change */
export const broadcastTo = callable<SizedFunction>('broadcastTo(x: Tensor, ...shape: int)', (x: Tensor, shape: Shape) =>
  ops.expand({ x }, { shape: [...shape] }),
);

/** Views of the tensors, each stretched to the shape that all broadcast to. @throws ShapeError */
export const broadcastTensors = callable<{
  (tensors: readonly Tensor[]): Tensor[];
  (...tensors: Tensor[]): Tensor[];
}>('broadcastTensors(...tensors: Tensor)', (tensors: readonly Tensor[]) => {
  const shape = broadcastShapes('broadcastTensors', ...tensors.map(({ sizes }) => sizes));
  return tensors.map((x) => ops.expand({ x }, { shape }));
});

/** A view of x stretched to the shape of `other`. */
export const expandAs = callable(
  'expandAs(x: Tensor, other: Tensor)',
  (x: Tensor, other: Tensor): Tensor => ops.expand({ x }, { shape: other.sizes }),
);

/** The same memory in the shape of `other`; see {@link view}. */
export const viewAs = callable(
  'viewAs(x: Tensor, other: Tensor)',
  (x: Tensor, other: Tensor): Tensor => view(x, other.sizes),
);

/** The same elements in the shape of `other`; see {@link reshape}. */
export const reshapeAs = callable(
  'reshapeAs(x: Tensor, other: Tensor)',
  (x: Tensor, other: Tensor): Tensor => reshape(x, other.sizes),
);

const moved = (op: string, x: Tensor, source: Dims, destination: Dims): Tensor => {
  const from = eachOnce(op, [source].flat(), x.ndim);
  const to = eachOnce(op, [destination].flat(), x.ndim);
  if (from.length !== to.length)
    throw new ArgumentError(
      `${op}: expected as many sources as destinations, got ${formatShape(from)} and ${formatShape(to)}`,
    );
  const rest = x.sizes.map((_, d) => d).filter((d) => !from.includes(d));
  return permute(
    x,
    x.sizes.map((_, d) => (to.includes(d) ? (from[to.indexOf(d)] as number) : (rest.shift() as number))),
  );
};

/** A view with the dims `source` at the places `destination`; the others keep their order. @throws ShapeError */
export const movedim = callable(
  'movedim(x: Tensor, source: int|int[], destination: int|int[])',
  (x: Tensor, source: Dims, destination: Dims): Tensor => moved('movedim', x, source, destination),
);

/** {@link movedim}, by its other name. */
export const moveaxis = callable(
  'moveaxis(x: Tensor, source: int|int[], destination: int|int[])',
  (x: Tensor, source: Dims, destination: Dims): Tensor => moved('moveaxis', x, source, destination),
);

/** {@link transpose}, by NumPy's name. */
export const swapaxes = callable(
  'swapaxes(x: Tensor, axis0: int, axis1: int)',
  (x: Tensor, axis0: number, axis1: number): Tensor => transpose(x, axis0, axis1),
);

/** {@link transpose}, by its other name. */
export const swapdims = callable(
  'swapdims(x: Tensor, dim0: int, dim1: int)',
  (x: Tensor, dim0: number, dim1: number): Tensor => transpose(x, dim0, dim1),
);

/** Options of {@link diagonal}. */
export interface DiagonalOptions {
  /** How far to the right of the main diagonal; negative: below it. @defaultValue 0 */
  offset?: number;
  /** The dim of the rows. @defaultValue 0; for `diagEmbed` -2 */
  dim1?: number;
  /** The dim of the columns. @defaultValue 1; for `diagEmbed` -1 */
  dim2?: number;
}

/** A function of a diagonal in two dims. */
export type DiagonalFunction = Callable<
  [x: Tensor],
  [offset: number, dim1: number, dim2: number],
  DiagonalOptions,
  Tensor
>;

/** A view of a diagonal of two dims, which is the last dim of the result. @throws ShapeError */
export const diagonal = callable<DiagonalFunction>(
  'diagonal(x: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1)',
  (x: Tensor, offset: number, dim1: number, dim2: number): Tensor =>
    own.diagonal(
      { x },
      { offset, dim1: normalizeDim('diagonal', dim1, x.ndim), dim2: normalizeDim('diagonal', dim2, x.ndim) },
    ),
);

/** Matrices of zeros that have the last dim of x on a diagonal of the dims `dim1` and `dim2`. @throws ShapeError */
export const diagEmbed = callable<DiagonalFunction>(
  'diagEmbed(x: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1)',
  (x: Tensor, offset: number, dim1: number, dim2: number): Tensor => {
    const length = x.sizes.at(-1);
    if (length === undefined) throw new ShapeError('diagEmbed: expected at least 1 dim, got a single number');
    const [a, b] = eachOnce('diagEmbed', [dim1, dim2], x.ndim + 1) as [number, number];
    const size = length + Math.abs(offset);
    const rest = x.sizes.slice(0, -1);
    const shape = Array.from({ length: x.ndim + 1 }, (_, d) => (d === a || d === b ? size : (rest.shift() as number)));
    return own.diagonalBackward({ g: x }, { offset, dim1: a, dim2: b, shape });
  },
);

/** Options of {@link diag}, {@link tril} and {@link triu}. */
export interface DiagOptions {
  /** How far to the right of the main diagonal; negative: below it. @defaultValue 0 */
  diagonal?: number;
}

/** A function of a matrix and one of its diagonals. */
export type DiagFunction = Callable<[x: Tensor], [diagonal: number], DiagOptions, Tensor>;

/** A matrix with the vector x on a diagonal; of a matrix x, a copy of that diagonal. @throws ShapeError */
export const diag = callable<DiagFunction>(
  'diag(x: Tensor, diagonal: int = 0)',
  (x: Tensor, offset: number): Tensor => {
    if (x.ndim === 1) return diagEmbed(x, offset);
    if (x.ndim === 2) return ops.contiguous({ x: diagonal(x, offset) });
    throw new ShapeError(`diag: expected 1 or 2 dims, got ${formatShape(x.sizes)}; use diagonal() or diagEmbed()`);
  },
);

/** A matrix with the elements of x, in row-major order, on a diagonal. */
export const diagflat = callable<Callable<[x: Tensor], [offset: number], { offset?: number }, Tensor>>(
  'diagflat(x: Tensor, offset: int = 0)',
  (x: Tensor, offset: number): Tensor => diagEmbed(reshape(x, [-1]), offset),
);

/**
 * A view of all windows of `size` elements along `dimension`, each `step` after the one before; what a window holds is
 * the last dim (PyTorch's `Tensor.unfold`).
 * @throws ShapeError
 */
export const unfold = callable(
  'unfold(x: Tensor, dimension: int, size: int, step: int)',
  (x: Tensor, dimension: number, size: number, step: number): Tensor =>
    own.windows({ x }, { dim: normalizeDim('unfold', dimension, x.ndim), size, step }),
);
