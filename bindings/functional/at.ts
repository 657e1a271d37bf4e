// Indexing: numbers, slices, lists and tensors of indices, masks; to read, and to write. What they mean is PyTorch's
// x[…] and x[…] = value.
import { familyOps, ops } from '../autograd.ts';
import { tensor } from '../creation.ts';
import { ArgumentError, describe, formatShape, ShapeError } from '../memory/errors.ts';
import { scatterRows } from '../ops/scatter.ts';
import { broadcastShapes, expectDtype, expectSameDtype, sameShape } from '../ops/shapes.ts';
import { type Callable, callable } from '../signature.ts';
import { MAX_DIMS, numelOf, type Shape, Tensor } from '../tensor.ts';
import { cast, constantFor, widened } from './arguments.ts';
import { copy_ } from './inplace.ts';
import { coordinatesOf, positionsIn, wrapped } from './places.ts';
import { select, slice } from './shape.ts';

const own = familyOps(scatterRows);

/** Lists of indices, or of a mask's true and false. */
export type IndexList = readonly (number | boolean | IndexList)[];
/**
 * What stands for one dim: a number takes the element there, and its dim goes; `'start:end:step'` is a slice, of which
 * each part may be left out; `'...'` stands for as many `':'` as are missing; null puts in a dim of size 1; a list or
 * an i32 tensor takes the elements at its indices; a u8 tensor, or a list of true and false, those where it holds, of
 * as many dims as it has.
 */
export type Index = number | string | null | IndexList | Tensor;

const SLICE = /^(-?\d+)?:(-?\d+)?(?::(-?\d+)?)?$/;

function isIndex(x: unknown): boolean {
  if (x === null || x instanceof Tensor || Number.isSafeInteger(x)) return true;
  if (typeof x === 'string') return x === '...' || SLICE.test(x);
  return isList(x);
}
/**
 * Whether it is a list of numbers, or of lists of them as deep as a tensor may be: one that holds itself has no end.
 */
const isList = (x: unknown, depth = 0): boolean =>
  Array.isArray(x) &&
  depth < MAX_DIMS &&
  x.every((item) => Number.isSafeInteger(item) || typeof item === 'boolean' || isList(item, depth + 1));

const kinds = { index: [isIndex, "a number, a slice as '1:4', a list, a tensor or null", 'indices'] } as const;

/** A list or a tensor of indices as i32 tensors, one for each dim that it stands for. */
function indicesOf(op: string, given: IndexList | Tensor, shape: Shape): Tensor[] {
  if (given instanceof Tensor) {
    expectDtype(op, given, 'i32', 'u8');
    if (given.dtype === 'i32') return [given];
    const dims = shape.slice(0, Math.max(1, given.ndim));
    if (!sameShape(given.sizes, dims))
      throw new ShapeError(`${op}: expected a mask of shape ${formatShape(dims)}, got ${formatShape(given.sizes)}`);
    return coordinatesOf(positionsIn(op, given, 'use where() or maskedFill() with the mask'), dims);
  }
  if (given.length > 0 && given.every((item) => typeof item === 'boolean')) {
    if (given.length !== shape[0])
      throw new ShapeError(`${op}: expected a mask of ${shape[0]} places, got ${given.length}`);
    return [
      tensor(
        given.flatMap((on, i) => (on ? [i] : [])),
        { dtype: 'i32' },
      ),
    ];
  }
  if ((given as readonly unknown[]).flat(8).some((item) => typeof item === 'boolean'))
    throw new ArgumentError(`${op}: expected a mask of one dim as a list, got ${describe(given)}; use a u8 tensor`);
  return [tensor(given as readonly number[], { dtype: 'i32' })];
}

/** What numbers and slices leave of x, and the indices that go on from there. */
interface Plan {
  readonly y: Tensor;
  /** Dims of y in ascending order, with the indices along each. */
  readonly places: readonly (readonly [dim: number, index: Tensor])[];
}

/** How many dims an index stands for. */
function dimsOf(index: Index): number {
  if (index === null || index === '...') return 0;
  return index instanceof Tensor && index.dtype === 'u8' ? Math.max(1, index.ndim) : 1;
}

function sliced(op: string, x: Tensor, dim: number, text: string): Tensor {
  const [, start, end, step] = SLICE.exec(text) as unknown as (string | undefined)[];
  if (Number(step ?? 1) < 1) throw new ArgumentError(`${op}: expected a step >= 1, got '${text}'; flip() reverses`);
  if (start === undefined && end === undefined && step === undefined) return x;
  return slice(x, dim, Number(start ?? 0), end === undefined ? null : Number(end), Number(step ?? 1));
}

function planOf(op: string, x: Tensor, given: readonly Index[]): Plan {
  const list = [...given];
  const used = list.reduce<number>((sum, index) => sum + dimsOf(index), 0);
  const dots = list.indexOf('...');
  if (used > x.ndim || list.lastIndexOf('...') !== dots)
    throw new ShapeError(
      `${op}: expected indices for at most ${x.ndim} dims, with one '...' at most, got them for ${used} of ${formatShape(x.sizes)}`,
    );
  if (dots >= 0) list.splice(dots, 1, ...new Array<string>(x.ndim - used).fill(':'));
  let [y, dim] = [x, 0];
  const places: [number, Tensor][] = [];
  for (const index of list) {
    if (index === null) y = ops.unsqueeze({ x: y }, { dim: dim++ });
    else if (typeof index === 'number') y = select(y, dim, index);
    else if (typeof index === 'string') y = sliced(op, y, dim++, index);
    else for (const each of indicesOf(op, index, y.sizes.slice(dim))) places.push([dim++, each]);
  }
  return { y, places };
}

/** Where the indices of a plan find their elements in y, laid out as [outer, n, inner]. */
interface Found {
  /** The order of the dims of y in which those with indices lie together; null: as they are. */
  readonly order: readonly number[] | null;
  readonly laid: Tensor;
  /** Positions along n, i32 [m]. */
  readonly index: Tensor;
  /** Of what is found: [...outer, ...indices, ...inner]. */
  readonly shape: Shape;
}

function find(op: string, { y, places }: Plan): Found {
  const dims = places.map(([dim]) => dim);
  const first = dims[0] as number;
  const together = dims.every((dim, i) => dim === first + i);
  const order = together ? null : [...dims, ...y.sizes.map((_, d) => d).filter((d) => !dims.includes(d))];
  const moved = order ? ops.permute({ x: y }, { dims: order }) : y;
  const start = order ? 0 : first;
  const sizes = moved.sizes.slice(start, start + dims.length);
  const [before, behind] = [moved.sizes.slice(0, start), moved.sizes.slice(start + dims.length)];
  const shape = broadcastShapes(op, ...places.map(([, index]) => index.sizes));
  // Row-major positions among the indexed dims, by Horner's rule.
  const position = places.reduce<Tensor | null>((sum, [dim, index], i) => {
    const at = wrapped(index, sizes[i] as number, dim);
    const scaled = sum && ops.mul({ a: sum, b: constantFor(index, sizes[i] as number, 'i32') });
    return scaled ? ops.add({ a: scaled, b: at }) : at;
  }, null) as Tensor;
  return {
    order,
    laid: ops.reshape({ x: moved }, { shape: [numelOf(before), numelOf(sizes), numelOf(behind)] }),
    index: ops.reshape({ x: ops.expand({ x: position }, { shape }) }, { shape: [numelOf(shape)] }),
    shape: [...before, ...shape, ...behind],
  };
}

/**
 * A part of x, by an index for each of its dims from the first on (PyTorch's `x[…]`): `at(x, 0, '1:4', [2, 0])`. With
 * numbers, slices and null alone it is a view; lists, tensors and masks take copies. Several of them broadcast
 * together; their dims stand where the first of them does, or in front where other dims lie between them.
 * @throws ShapeError, ArgumentError for an index out of range; RecordingError for a mask inside of compile()
 */
export const at = callable<(x: Tensor, ...index: readonly Index[]) => Tensor>(
  'at(x: Tensor, i?: index, j?: index, k?: index, l?: index, m?: index, n?: index, o?: index, p?: index, q?: index, r?: index)',
  (x: Tensor, ...given: readonly (Index | undefined)[]) => {
    const end = given.indexOf(undefined);
    if (end >= 0 && given.slice(end).some((index) => index !== undefined))
      throw new ArgumentError("at: expected an index in every place, got undefined; ':' takes a whole dim");
    const plan = planOf('at', x, (end < 0 ? given : given.slice(0, end)) as readonly Index[]);
    if (plan.places.length === 0) return plan.y === x ? ops.view({ x }, { shape: x.sizes }) : plan.y;
    const { laid, index, shape } = find('at', plan);
    return ops.reshape({ x: ops.indexSelect({ x: laid, index }, { dim: 1 }) }, { shape });
  },
  kinds as never,
);

/** A copy of y with `value` at the places of a plan. */
function written(op: string, plan: Plan, value: Tensor, accumulate: boolean): Tensor {
  const { order, laid, index, shape } = find(op, plan);
  const [outer, , inner] = laid.sizes as [number, number, number];
  if (!sameShape(broadcastShapes(op, shape, value.sizes), shape))
    throw new ShapeError(
      `${op}: expected a value that stretches to ${formatShape(shape)}, got ${formatShape(value.sizes)}`,
    );
  const src = ops.reshape({ x: ops.expand({ x: value }, { shape }) }, { shape: [outer, index.size, inner] });
  const { dtype } = laid;
  let z: Tensor;
  if (accumulate && dtype === 'f32') z = ops.indexAdd({ x: laid, index, src }, { dim: 1 });
  else if (!accumulate) z = cast(own.indexCopy({ x: widened(laid), index, src: widened(src) }, { dim: 1 }), dtype);
  else {
    const each = ops.expand({ x: ops.reshape({ x: index }, { shape: [1, index.size, 1] }) }, { shape: src.sizes });
    z = cast(own.scatter({ x: widened(laid), index: each, src: widened(src) }, { dim: 1, how: 'sum' }), dtype);
  }
  const { y } = plan;
  if (!order) return ops.reshape({ x: z }, { shape: y.sizes });
  const moved = ops.reshape({ x: z }, { shape: order.map((d) => y.sizes[d] as number) });
  return ops.permute({ x: moved }, { dims: order.map((_, d) => order.indexOf(d)) });
}

/**
 * Overwrites a part of x, which {@link at} reads, with `value`, stretched to its shape and cast to the dtype of x, and
 * returns x (PyTorch's `x[…] = value`): `setAt(x, [0, '1:4'], 5)`. Gradients flow to the value, and to what of x is
 * left. Where an index comes twice, the last one counts.
 * @param index a list with an index for each dim from the first on
 * @throws ShapeError, ArgumentError; GradError where x is a leaf that requires a gradient, outside of noGrad();
 *   RecordingError for a mask inside of compile()
 */
export const setAt = callable<(x: Tensor, index: readonly Index[], value: Tensor | number) => Tensor>(
  'setAt(x: Tensor, index: index[], value: Tensor|number)',
  (x: Tensor, index: readonly Index[], value: Tensor | number) => {
    const plan = planOf('setAt', x, index);
    const given = typeof value === 'number' ? constantFor(x, value, x.dtype) : cast(value, x.dtype);
    copy_(plan.y, plan.places.length === 0 ? given : written('setAt', plan, given, false));
    return x;
  },
  kinds as never,
);

/** Options of {@link indexPut}. */
export interface IndexPutOptions {
  /** Whether values are added to what is there. @defaultValue false */
  accumulate?: boolean;
}

/**
 * A copy of x with `values` at the places that tensors of indices name, one for each dim from the first on; they
 * broadcast together (PyTorch's `index_put`).
 * @param indices i32, negative ones count from the end; or u8 masks
 * @param values of the dtype of x, stretched to the shape of the indices and the dims behind them
 * @throws ArgumentError for an index out of range; ShapeError, DtypeError
 */
export const indexPut = callable<
  Callable<
    [x: Tensor, indices: readonly Tensor[], values: Tensor],
    [accumulate: boolean],
    IndexPutOptions,
    Tensor,
    ['x', 'indices', 'values']
  >
>(
  'indexPut(x: Tensor, indices: Tensor[], values: Tensor, accumulate: bool = false)',
  (x: Tensor, indices: readonly Tensor[], values: Tensor, accumulate: boolean) => {
    expectSameDtype('indexPut', x, values);
    if (indices.length === 0) throw new ArgumentError('indexPut: expected at least one tensor of indices, got none');
    return written('indexPut', planOf('indexPut', x, indices), values, accumulate);
  },
);
