// Reads and writes by indices of several dims, and sums by segment.
import { scatterKernels } from '../../generated/kernel-calls.ts';
import { ArgumentError, ShapeError } from '../../memory/errors.ts';
import { contiguousStrides, numelOf, type Shape } from '../../sizes.ts';
import type { Backend } from '../backend.ts';
import type { Data, NumberDtype } from '../data.ts';
import type { Info } from '../engine.ts';
import { B, F, type Family, I, type Row, row } from '../row.ts';
import { constant, copy, fill, part, stretched } from './layout.ts';

/** The code of a scatter that sums integers, as the descriptor has it. */
const SUM_INTEGERS = 6;

/** A tensor as `places` slices of `width` elements, of which indices [m, depth] name m. */
interface Slices {
  readonly places: number;
  readonly width: number;
  readonly m: number;
  readonly depth: number;
}

function slicesOf(shape: Shape, indices: Shape, depth: number): Slices {
  const width = numelOf(shape.slice(depth));
  return { places: numelOf(shape.slice(0, depth)), width, m: numelOf(indices) / Math.max(1, depth), depth };
}

/** The places that indices [m, depth] name. @throws ArgumentError for one that there is not */
function placesOf(kernel: string, backend: Backend, indices: Info, shape: Shape, { m, depth, places }: Slices): Data {
  const { kernels, probes } = backend;
  const index = backend.temporary(m, 'int32');
  if (m === 0) return index;
  fill(kernels, 'int32', index, m, 0);
  const steps = contiguousStrides(shape.slice(0, depth));
  const term = backend.temporary(m, 'int32');
  for (let d = 0; d < depth; d++) {
    const step = constant(backend, 'int32', steps[d] as number);
    kernels.mul_forward_i32({ y: term, a: part(backend.at(indices), d), b: step, dims: [1, m, depth, 0] });
    kernels.add_forward_i32({ y: index, a: index, b: term, dims: [1, m, 1, 1] });
  }
  const wrong = probes.check_index_i32({ index, n: m, bound: places });
  if (wrong >= 0) {
    const which = backend
      .at(indices)
      .look()
      .subarray(wrong * depth, (wrong + 1) * depth);
    throw new ArgumentError(`${kernel}: Invalid indices: ${which} does not index into ${shape}; take those below it`);
  }
  return index;
}

/** How many dims indices have. */
const depthOf = ({ shape }: Info): number => (shape.length > 1 ? (shape[shape.length - 1] as number) : 1);

/** @throws ShapeError unless updates are slices of `shape` for each index */
function checkUpdates(kernel: string, updates: Info, indices: Info, shape: Shape): Slices {
  const depth = depthOf(indices);
  const lead = indices.shape.length > 1 ? indices.shape.slice(0, -1) : indices.shape;
  const expected = [...lead, ...shape.slice(depth)];
  if (depth > shape.length || numelOf(expected) !== numelOf(updates.shape))
    throw new ShapeError(
      `${kernel}: Must have updates.shape = indices.shape[:batchDim] + shape[sliceDim:], got updates.shape: ${updates.shape}, indices.shape: ${indices.shape}, shape: ${shape}`,
    );
  return slicesOf(shape, indices.shape, depth);
}

/** Adds slices to those of y that indices name, in their order. */
function addSlices({ kernels }: Backend, y: Data, index: Data, src: Data, slices: Slices, wide: Data | null): void {
  const { places: n, m, width: inner } = slices;
  if (wide) kernels.scatter_32({ y, index: wide, src, outer: 1, n, m, inner, how: SUM_INTEGERS });
  else kernels.index_add_f32({ y, src, index, outer: 1, n, m, inner });
}

/** Replaces slices of y. */
function setSlices(
  { kernels }: Backend,
  y: Data,
  index: Data,
  src: Data,
  { places: n, m, width: inner }: Slices,
): void {
  kernels.index_copy_32({ y, src, index, outer: 1, n, m, inner });
}

/** x [n, …] summed by the segment that each of n is of; those of no segment count for none. */
function sumSegments(backend: Backend, x: Info, segmentIds: Info, segments: number): Info {
  const { kernels, probes } = backend;
  const n = x.shape[0] as number;
  const inner = numelOf(x.shape.slice(1));
  const y = backend.make([segments, ...x.shape.slice(1)], 'float32');
  let index = backend.at(segmentIds);
  let [sums, places] = [y.dataId, segments];
  if (probes.check_index_i32({ index, n, bound: segments }) >= 0) {
    // Others go to a segment behind the last, which is left out.
    places = segments + 1;
    sums = backend.temporary(places * inner, 'float32');
    const [above, below, last] = [
      constant(backend, 'int32', -1),
      constant(backend, 'int32', segments),
      backend.temporary(n, 'int32'),
    ];
    const [low, high] = [backend.temporary(n, 'bool'), backend.temporary(n, 'bool')];
    const dims = [1, n, 1, 0];
    kernels.gt_i32({ y: low, a: index, b: above, dims });
    kernels.lt_i32({ y: high, a: index, b: below, dims });
    kernels.logical_and_u8({ y: low, a: low, b: high, dims: [1, n, 1, 1] });
    kernels.where_f32({ y: last, condition: low, a: index, b: below, dims: [1, n, 1, 1, 0] });
    index = last;
  }
  fill(kernels, 'float32', sums, places * inner, 0);
  kernels.index_add_f32({ y: sums, src: backend.at(x), index, outer: 1, n: places, m: n, inner });
  if (sums !== y.dataId) copy(kernels, 'float32', y.dataId, sums, [segments * inner], [1], [1]);
  return y;
}

const gatherNd: Row = row(
  { params: F | I | B, indices: I },
  (backend, { params, indices }) => {
    const depth = indices.shape.at(-1);
    if (depth === undefined)
      throw new ShapeError('gatherND: index must be at least 1D, got a single number; reshape it to [1, 1]');
    if (depth > params.shape.length)
      throw new ShapeError(
        `gatherND: index innermost dimension length must be <= tensor rank; saw: ${depth} vs. ${params.shape.length}`,
      );
    if (numelOf(params.shape) === 0)
      throw new ShapeError(
        `gatherND: Requested more than 0 entries, but input is empty. Input shape: ${params.shape}; give one that is not`,
      );
    const slices = slicesOf(params.shape, indices.shape, depth);
    const index = placesOf('gatherND', backend, indices, params.shape, slices);
    const dtype = params.dtype as NumberDtype;
    const y = backend.make([...indices.shape.slice(0, -1), ...params.shape.slice(depth)], dtype);
    const call = { y: y.dataId, x: backend.at(params), index };
    const sizes = { outer: 1, n: slices.places, m: slices.m, inner: slices.width };
    if (dtype === 'bool') backend.kernels.index_select_8({ ...call, ...sizes });
    else backend.kernels.index_select_32({ ...call, ...sizes });
    return y;
  },
  ({ indices }) => indices.shape.at(-1) !== 0,
);

const scatterNd: Row = row<{ indices: number; updates: number }, { shape: Shape }>(
  { indices: I, updates: F | I },
  (backend, { indices, updates }, { shape }) => {
    const slices = checkUpdates('scatterND', updates, indices, shape);
    const index = placesOf('scatterND', backend, indices, shape, slices);
    const dtype = updates.dtype as 'float32' | 'int32';
    const y = backend.make(shape, dtype);
    fill(backend.kernels, dtype, y.dataId, y.dataId.size, 0);
    const { m, width } = slices;
    const wide =
      dtype === 'int32' ? stretched(backend, { dataId: index, shape: [m, 1], dtype: 'int32' }, [m, width]) : null;
    addSlices(backend, y.dataId, index, backend.at(updates), slices, wide);
    return y;
  },
);

const tensorScatterUpdate: Row = row(
  { tensor: F | I, indices: I, updates: F | I },
  (backend, { tensor, indices, updates }) => {
    const { shape } = tensor;
    const slices = checkUpdates('tensorScatterUpdate', updates, indices, shape);
    const index = placesOf('tensorScatterUpdate', backend, indices, shape, slices);
    const dtype = tensor.dtype as NumberDtype;
    const y = backend.make(shape, dtype);
    const n = y.dataId.size;
    copy(backend.kernels, dtype, y.dataId, backend.at(tensor), [n], [1], [1]);
    setSlices(backend, y.dataId, index, backend.at(updates), slices);
    return y;
  },
  ({ tensor, updates }) => tensor.dtype === updates.dtype,
);

const sparseToDense: Row = row<
  { sparseIndices: number; sparseValues: number; defaultValue: number },
  { outputShape: Shape }
>(
  { sparseIndices: I, sparseValues: F | I, defaultValue: F | I },
  (backend, { sparseIndices, sparseValues, defaultValue }, { outputShape }) => {
    const slices = slicesOf(outputShape, sparseIndices.shape, depthOf(sparseIndices));
    const index = placesOf('sparseToDense', backend, sparseIndices, outputShape, slices);
    const dtype = sparseValues.dtype as NumberDtype;
    const y = backend.make(outputShape, dtype);
    const n = y.dataId.size;
    copy(backend.kernels, dtype, y.dataId, backend.at(defaultValue), [n], [1], [0]);
    const values = stretched(backend, sparseValues, [slices.m * slices.width]);
    setSlices(backend, y.dataId, index, values, slices);
    return y;
  },
  ({ sparseIndices, sparseValues, defaultValue }, { outputShape }) =>
    sparseValues.dtype === defaultValue.dtype &&
    numelOf(defaultValue.shape) === 1 &&
    [1, numelOf(sparseIndices.shape) / depthOf(sparseIndices)].includes(numelOf(sparseValues.shape)) &&
    depthOf(sparseIndices) === outputShape.length,
);

const unsortedSegmentSum: Row = row<{ x: number; segmentIds: number }, { numSegments: number }>(
  { x: F, segmentIds: I },
  (backend, { x, segmentIds }, { numSegments }) => sumSegments(backend, x, segmentIds, numSegments),
  ({ x, segmentIds }) => segmentIds.shape.length === 1 && x.shape.length > 0 && segmentIds.shape[0] === x.shape[0],
);

export const scatter: Family = {
  kernels: [scatterKernels],
  rows: {
    GatherNd: gatherNd,
    ScatterNd: scatterNd,
    TensorScatterUpdate: tensorScatterUpdate,
    SparseToDense: sparseToDense,
    UnsortedSegmentSum: unsortedSegmentSum,
  },
};
