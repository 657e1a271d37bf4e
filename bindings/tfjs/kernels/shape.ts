// Kernels that move elements, or give them another shape.
import { DtypeError, ShapeError } from '../../memory/errors.ts';
import { split3 } from '../../ops/shapes.ts';
import { contiguousStrides, numelOf, type Shape, sameShape } from '../../sizes.ts';
import type { Backend } from '../backend.ts';
import type { Data, NumberDtype } from '../data.ts';
import type { Info } from '../engine.ts';
import { B, F, type Family, I, listRow, type Row, row } from '../row.ts';
import { axisOf, copy, fill, part } from './layout.ts';
import { partsOf, type StridedSlice } from './strided-slice.ts';

const NUMBERS = F | I | B;

/** A row whose result is the same data under another shape, whatever its dtype. */
const sharing = <A>(input: string, shapeOf: (x: Info, attrs: A) => Shape): Row => ({
  fits: () => true,
  run: (backend, inputs, attrs) => {
    const x = (inputs as Readonly<Record<string, Info>>)[input] as Info;
    return backend.share(x, shapeOf(x, attrs as A));
  },
});

/** A shape in which one size may be −1, for the rest. @throws ShapeError where it has another number of elements */
function reshaped({ shape: from }: Info, { shape }: { shape: readonly number[] }): Shape {
  const size = numelOf(from);
  if (numelOf(shape) === size && shape.every((n) => n >>> 0 === n)) return shape;
  const known = shape.reduce((n, each) => (each === -1 ? n : n * each), 1);
  const to = shape.map((each) => (each === -1 ? size / known : each));
  const open = shape.filter((each) => each === -1).length;
  if (open > 1 || numelOf(to) !== size || to.some((each) => !Number.isInteger(each) || each < 0))
    throw new ShapeError(
      `reshape: new shape ${shape} and old shape ${from} must have the same number of elements; one size may be -1`,
    );
  return to;
}

/** A new contiguous result of elements of x, from `start` on by strides. */
export function gathered(backend: Backend, x: Info, start: number, shape: Shape, strides: readonly number[]): Info {
  const dtype = x.dtype as NumberDtype;
  const y = backend.make(shape, dtype);
  if (y.dataId.size === 0) return y;
  copy(backend.kernels, dtype, y.dataId, part(backend.at(x), start), shape, contiguousStrides(shape), strides);
  return y;
}

/** A box of x, of `shape`, from `begin` on in steps of `strides`. */
export function box(backend: Backend, x: Info, begin: Shape, shape: Shape, strides: readonly number[] | null): Info {
  const steps = contiguousStrides(x.shape);
  const start = begin.reduce((n, b, d) => n + b * (steps[d] as number), 0);
  return gathered(backend, x, start, shape, strides ? steps.map((step, d) => step * (strides[d] as number)) : steps);
}

/** Where a slice begins, and its size: -1 is the rest. @throws ShapeError unless it lies in x */
function sliced(x: Shape, begin: number | Shape, size?: number | Shape | null): { begin: Shape; size: Shape } {
  const pad = (given: number | Shape, rest: number): number[] =>
    x.map((_, d) => (typeof given === 'number' ? (d === 0 ? given : rest) : (given[d] ?? rest)));
  const from = pad(begin, 0);
  if (from.some((b) => b < 0))
    throw new ShapeError(
      `slice: expected begins from 0, got [${from}]; slice() does not support negative begin indexing.`,
    );
  const to = pad(size ?? -1, -1).map((n, d) => (n === -1 ? (x[d] as number) - (from[d] as number) : n));
  const tooMany = [begin, size].some((list) => typeof list === 'object' && (list?.length ?? 0) > x.length);
  if (tooMany || from.some((b, d) => (to[d] as number) < 0 || b + (to[d] as number) > (x[d] as number)))
    throw new ShapeError(
      `slice${x.length}D: begin [${from}] + size [${to}] would overflow the shape [${x}]; take less`,
    );
  return { begin: from, size: to };
}

/** Joins tensors of one dtype along an axis. @throws ShapeError */
function concat(backend: Backend, list: readonly Info[], axis: number): Info {
  const [{ shape: first, dtype }] = list as [Info, ...Info[]];
  const d = axisOf('concat', axis, first.length);
  let length = 0;
  for (const { shape } of list) {
    if (shape.length !== first.length || shape.some((n, i) => i !== d && n !== first[i]))
      throw new ShapeError(
        `concat: expected shapes that are alike but for axis ${d}, got [${first}] and [${shape}]; reshape() one`,
      );
    length += shape[d] as number;
  }
  const y = backend.make(
    first.map((n, i) => (i === d ? length : n)),
    dtype as NumberDtype,
  );
  const [outer, , inner] = split3(first, d);
  let at = 0;
  for (const x of list) {
    const n = (x.shape[d] as number) * inner;
    const place = part(y.dataId, at);
    copy(backend.kernels, dtype as NumberDtype, place, backend.at(x), [outer, n], [length * inner, 1], [n, 1]);
    at += n;
  }
  return y;
}

/** Cuts x along an axis into parts of the given sizes. */
function split(backend: Backend, x: Info, axis: number, sizes: readonly number[]): Info[] {
  let at = 0;
  return sizes.map((n) => {
    const begin = x.shape.map((_, d) => (d === axis ? at : 0));
    at += n;
    return box(
      backend,
      x,
      begin,
      x.shape.map((size, d) => (d === axis ? n : size)),
      null,
    );
  });
}

/** Into how many equal parts, or into parts of which sizes; -1 is the rest. @throws ShapeError */
function splitSizes(n: number, given: number | readonly number[]): number[] {
  if (typeof given === 'number') {
    if (n % given !== 0)
      throw new ShapeError(`split: Number of splits must evenly divide the axis, got ${given} of ${n}; give sizes`);
    return new Array<number>(given).fill(n / given);
  }
  const known = given.reduce((sum, each) => (each === -1 ? sum : sum + each), 0);
  const sizes = given.map((each) => (each === -1 ? n - known : each));
  const open = given.filter((each) => each === -1).length;
  if (open > 1 || sizes.reduce((sum, each) => sum + each, 0) !== n)
    throw new ShapeError(
      `split: The sum of sizes must match the size of the axis dimension, got [${given}] of ${n}; one size may be -1, and no more: There should be only one negative value in split array`,
    );
  return sizes;
}

/** Repeats x along each axis: one copy for all, from strides of 0. */
function tile(backend: Backend, x: Info, reps: readonly number[]): Info {
  const steps = contiguousStrides(x.shape);
  const y = backend.make(
    x.shape.map((n, d) => n * (reps[d] ?? 1)),
    x.dtype as NumberDtype,
  );
  const shape = x.shape.flatMap((n, d) => [reps[d] ?? 1, n]);
  const from = x.shape.flatMap((_, d) => [0, steps[d] as number]);
  const { kernels } = backend;
  copy(kernels, x.dtype as NumberDtype, y.dataId, backend.at(x), shape, contiguousStrides(shape), from);
  return y;
}

/** Writes x into the middle of a result full of one value. */
export function pad(backend: Backend, x: Info, paddings: readonly (readonly [number, number])[], value: number): Info {
  const shape = x.shape.map((n, d) => n + (paddings[d]?.[0] ?? 0) + (paddings[d]?.[1] ?? 0));
  const dtype = x.dtype as NumberDtype;
  const y = backend.make(shape, dtype);
  const { kernels } = backend;
  fill(kernels, dtype, y.dataId, y.dataId.size, value);
  const steps = contiguousStrides(shape);
  const from = paddings.reduce((n, [before], d) => n + before * (steps[d] as number), 0);
  const place: ReturnType<typeof part> = part(y.dataId as Data, from);
  copy(kernels, dtype, place, backend.at(x), x.shape, steps, contiguousStrides(x.shape));
  return y;
}

interface Padded {
  readonly paddings: readonly (readonly [number, number])[];
  readonly constantValue: number;
}

export const shape: Family = {
  kernels: [],
  rows: {
    Identity: sharing('x', ({ shape }) => shape),
    Reshape: sharing('x', reshaped),
    ExpandDims: sharing<{ dim: number }>('input', ({ shape }, { dim }) => {
      const d = axisOf('expandDims', dim, shape.length + 1);
      return [...shape.slice(0, d), 1, ...shape.slice(d)];
    }),
    Transpose: row<{ x: number }, { perm: readonly number[] }>(
      { x: NUMBERS },
      (backend, { x }, { perm }) => {
        const steps = contiguousStrides(x.shape);
        const to = perm.map((d) => x.shape[d] as number);
        const y = backend.make(to, x.dtype as NumberDtype);
        const from = perm.map((d) => steps[d] as number);
        copy(backend.kernels, x.dtype as NumberDtype, y.dataId, backend.at(x), to, contiguousStrides(to), from);
        return y;
      },
      ({ x }, { perm }) =>
        sameShape(
          [...perm].sort((a, b) => a - b),
          [...x.shape.keys()],
        ),
    ),
    Slice: row<{ x: number }, { begin: number | Shape; size?: number | Shape | null }>(
      { x: NUMBERS },
      (backend, { x }, attrs) => {
        const { begin, size } = sliced(x.shape, attrs.begin, attrs.size);
        return box(backend, x, begin, size, null);
      },
    ),
    StridedSlice: row<{ x: number }, StridedSlice>({ x: NUMBERS }, (backend, { x }, attrs) => {
      const { begin, steps, sizes, shape } = partsOf(x.shape, attrs);
      if (sameShape(sizes, x.shape) && steps.every((step) => step === 1)) return backend.share(x, shape);
      return { ...box(backend, x, begin, sizes, steps), shape };
    }),
    Concat: listRow<{ axis: number }>(
      NUMBERS,
      (backend, list, { axis }) => concat(backend, list, axis),
      (list) => list.length > 0 && list.every(({ dtype }) => dtype === list[0]?.dtype),
    ),
    SplitV: row<{ x: number }, { numOrSizeSplits: number | readonly number[]; axis: number }>(
      { x: NUMBERS },
      (backend, { x }, { numOrSizeSplits, axis }) => {
        const d = axisOf('split', axis, x.shape.length);
        return split(backend, x, d, splitSizes(x.shape[d] as number, numOrSizeSplits));
      },
    ),
    Pack: listRow<{ axis: number }>(
      NUMBERS,
      (backend, list, { axis }) => {
        const [{ shape, dtype }] = list as [Info, ...Info[]];
        const d = axisOf('stack', axis, shape.length + 1);
        if (list.some((x) => x.dtype !== dtype))
          throw new DtypeError(`stack: All tensors passed to stack must have matching dtypes, got ${dtype} and others`);
        if (list.some((x) => !sameShape(x.shape, shape)))
          throw new ShapeError(
            `stack: All tensors passed to stack must have matching shapes, got [${shape}] and others`,
          );
        const wide = [...shape.slice(0, d), 1, ...shape.slice(d)];
        return concat(
          backend,
          list.map((x) => ({ ...infoOf(x), shape: wide })),
          d,
        );
      },
      (list) => list.length > 0,
    ),
    Unpack: row<{ value: number }, { axis: number }>({ value: NUMBERS }, (backend, { value }, { axis }) => {
      const d = axisOf('unstack', axis, value.shape.length);
      const parts = split(backend, value, d, new Array<number>(value.shape[d] as number).fill(1));
      return parts.map((each) => ({ ...each, shape: each.shape.filter((_, i) => i !== d) }));
    }),
    Tile: row<{ x: number }, { reps: readonly number[] }>(
      { x: NUMBERS },
      (backend, { x }, { reps }) => tile(backend, x, reps),
      ({ x }, { reps }) => reps.length === x.shape.length,
    ),
    PadV2: row<{ x: number }, Padded>(
      { x: NUMBERS },
      (backend, { x }, { paddings, constantValue }) => pad(backend, x, paddings, constantValue),
      ({ x }, { paddings }) =>
        paddings.length === x.shape.length && paddings.every(([before, after]) => before >= 0 && after >= 0),
    ),
    Reverse: row<{ x: number }, { dims?: number | readonly number[] | null }>(
      { x: NUMBERS },
      (backend, { x }, { dims }) => {
        const axes = (typeof dims === 'number' ? [dims] : (dims ?? x.shape.map((_, d) => d))).map((d) =>
          axisOf('reverse', d, x.shape.length),
        );
        const turned = x.shape.map((_, d) => axes.includes(d));
        const begin = x.shape.map((n, d) => (turned[d] ? n - 1 : 0));
        return box(
          backend,
          x,
          begin,
          x.shape,
          turned.map((back) => (back ? -1 : 1)),
        );
      },
    ),
  },
};

/** The plain part of what may be a tensor of tfjs, whose shape is not to be changed. */
const infoOf = ({ dataId, shape, dtype }: Info): Info => ({ dataId, shape, dtype });
