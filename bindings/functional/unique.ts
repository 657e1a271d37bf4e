// Elements, or slices, without those that come again. How many are left depends on values, which are read.
import { familyOps, ops } from '../autograd.ts';
import { tracing } from '../execute.ts';
import { scatterRows } from '../ops/scatter.ts';
import { normalizeDim } from '../ops/shapes.ts';
import { callable } from '../signature.ts';
import type { Tensor } from '../tensor.ts';
import { cast, constantFor, widened } from './arguments.ts';
import { ordered } from './ordered.ts';
import { iota, positionsIn } from './places.ts';
import { movedim } from './rearrange.ts';

const own = familyOps(scatterRows);

/** Options of {@link uniqueConsecutive}. */
export interface UniqueConsecutiveOptions {
  /** Whether to say where among the results each element is. @defaultValue false */
  returnInverse?: boolean;
  /** Whether to say how often each result was there. @defaultValue false */
  returnCounts?: boolean;
  /** The dim whose slices are compared; null: all elements. @defaultValue null */
  dim?: number | null;
}

/** Options of {@link unique}. */
export interface UniqueOptions extends UniqueConsecutiveOptions {
  /** Whether they come in order; they always do. @defaultValue true */
  sorted?: boolean;
}

/** What {@link unique} gives: the results, and what else was asked for. */
export interface Unique {
  /** The elements or slices, each once. */
  readonly output: Tensor;
  /** Where among the results each element, or each slice, is, i32. */
  readonly inverseIndices: Tensor | null;
  /** How often each of the results was there, i32. */
  readonly counts: Tensor | null;
}

/** What says that more is asked for than the results. */
/** What {@link unique} may be asked for beside the elements. */
export type UniqueQuestions =
  | {
      /** Where each element of x is in the result. */
      readonly returnInverse: true;
    }
  | {
      /** How often each element of the result is in x. */
      readonly returnCounts: true;
    };
/** The forms of {@link unique}: the results alone, or with what else is asked for. */
export type UniqueFunction = {
  (x: Tensor, options: UniqueOptions & UniqueQuestions): Unique;
  (x: Tensor, sorted: boolean, returnInverse: true, returnCounts?: boolean, dim?: number | null): Unique;
  (x: Tensor, sorted: boolean, returnInverse: boolean, returnCounts: true, dim?: number | null): Unique;
  (x: Tensor, sorted?: boolean, returnInverse?: false, returnCounts?: false, dim?: number | null): Tensor;
  (x: Tensor, options?: UniqueOptions): Tensor;
};
/** The forms of {@link uniqueConsecutive}: the results alone, or with what else is asked for. */
export type UniqueConsecutiveFunction = {
  (x: Tensor, options: UniqueConsecutiveOptions & UniqueQuestions): Unique;
  (x: Tensor, returnInverse: true, returnCounts?: boolean, dim?: number | null): Unique;
  (x: Tensor, returnInverse: boolean, returnCounts: true, dim?: number | null): Unique;
  (x: Tensor, returnInverse?: false, returnCounts?: false, dim?: number | null): Tensor;
  (x: Tensor, options?: UniqueConsecutiveOptions): Tensor;
};

/** Rows of x [n, m] in lexicographic order: by their last column first, since sorting keeps the order of equal ones. */
function rowOrder(op: string, rows: Tensor): Tensor {
  let order = iota(rows.sizes[0] as number, rows);
  for (let column = (rows.sizes[1] as number) - 1; column >= 0; column--) {
    const part = ops.slice({ x: rows }, { dim: 1, start: column, length: 1, step: 1 });
    const key = ops.indexSelect(
      { x: ops.reshape({ x: part }, { shape: [rows.sizes[0] as number] }), index: order },
      { dim: 0 },
    );
    order = ops.indexSelect({ x: order, index: ordered(op, key, 0, null, false).indices }, { dim: 0 });
  }
  return order;
}

/** Which rows differ from the one before, u8 [n]; the first does. */
function starts(rows: Tensor): Tensor {
  const [n, m] = rows.sizes as [number, number];
  const part = (start: number): Tensor => ops.slice({ x: rows }, { dim: 0, start, length: n - 1, step: 1 });
  const first = constantFor(rows, 1, 'u8', [1]);
  if (n < 2) return n === 0 ? constantFor(rows, 1, 'u8', [0]) : first;
  const unlike = ops.sum({ x: ops.ne({ a: part(1), b: part(0) }) }, { dim: 1, end: 2, keepdim: false });
  const some = m === 0 ? constantFor(rows, 0, 'u8', [n - 1]) : ops.ne({ a: unlike, b: constantFor(rows, 0, 'i32') });
  return ops.concat({ xs: [first, some] }, { dim: 0 });
}

function uniqueOf(
  op: 'unique' | 'uniqueConsecutive',
  given: Tensor,
  dim: number | null,
  inverse: boolean,
  counts: boolean,
): Tensor | Unique {
  tracing()?.refuse(
    op,
    'how many there are depends on values: call it outside of the compiled function, or work with sort()',
  );
  const x = given.detach();
  const d = dim === null ? 0 : normalizeDim(op, dim, x.ndim);
  const slices = dim === null || x.ndim === 0 ? ops.reshape({ x }, { shape: [x.size, 1] }) : movedim(x, d, 0);
  const n = slices.sizes[0] as number;
  const rows = widened(ops.reshape({ x: slices }, { shape: [n, n === 0 ? 0 : slices.size / n] }));
  const order = op === 'unique' ? rowOrder(op, rows) : null;
  const inOrder = order ? ops.indexSelect({ x: rows, index: order }, { dim: 0 }) : rows;
  const first = starts(inOrder);
  const at = positionsIn(op, first);
  const found = cast(ops.indexSelect({ x: inOrder, index: at }, { dim: 0 }), x.dtype);
  const shaped = (): Tensor => {
    if (dim === null || x.ndim === 0) return ops.reshape({ x: found }, { shape: [at.size] });
    return movedim(ops.reshape({ x: found }, { shape: slices.sizes.with(0, at.size) }), 0, d);
  };
  const nth = (): Tensor => {
    const rank = ops.sub({ a: ops.cumsum({ x: widened(first) }, { dim: 0 }), b: constantFor(x, 1, 'i32') });
    const back = order
      ? own.scatter({ x: constantFor(x, 0, 'i32', [n]), index: order, src: rank }, { dim: 0, how: 'set' })
      : rank;
    return dim === null ? ops.reshape({ x: back }, { shape: x.sizes }) : back;
  };
  const times = (): Tensor => {
    const ends = ops.concat({ xs: [at, constantFor(x, n, 'i32', [1])] }, { dim: 0 });
    const part = (start: number): Tensor => ops.slice({ x: ends }, { dim: 0, start, length: at.size, step: 1 });
    return ops.sub({ a: part(1), b: part(0) });
  };
  const output = shaped();
  if (!inverse && !counts) return output;
  return { output, inverseIndices: inverse ? nth() : null, counts: counts ? times() : null };
}

/**
 * The elements of x, each once and in order; with `dim`, its slices along that. Every NaN is another.
 * @throws RecordingError inside of compile(); ShapeError
 */
export const unique = callable<UniqueFunction>(
  'unique(x: Tensor, sorted: bool = true, returnInverse: bool = false, returnCounts: bool = false, dim: int|null = null)',
  (x: Tensor, _sorted: boolean, returnInverse: boolean, returnCounts: boolean, dim: number | null) =>
    uniqueOf('unique', x, dim, returnInverse, returnCounts) as never,
);

/**
 * The elements of x in row-major order without those that equal the one before; with `dim`, its slices along that.
 * @throws RecordingError inside of compile(); ShapeError
 */
export const uniqueConsecutive = callable<UniqueConsecutiveFunction>(
  'uniqueConsecutive(x: Tensor, returnInverse: bool = false, returnCounts: bool = false, dim: int|null = null)',
  (x: Tensor, returnInverse: boolean, returnCounts: boolean, dim: number | null) =>
    uniqueOf('uniqueConsecutive', x, dim, returnInverse, returnCounts) as never,
);
