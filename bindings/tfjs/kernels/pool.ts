// Pools of images and volumes, whose channels are the last dim.
import { poolKernels, poolLastKernels } from '../../generated/kernel-calls.ts';
import { formatShape, ShapeError } from '../../memory/errors.ts';
import { numelOf, type Shape, sameShape } from '../../sizes.ts';
import type { Backend } from '../backend.ts';
import type { Data } from '../data.ts';
import type { Info } from '../engine.ts';
import { F, type Family, type Row, row } from '../row.ts';
import { axesOf, axisWords, beginning, imagesOf, spatialOf, type Windows } from './windows.ts';

interface Pool extends Windows {
  readonly filterSize: number | readonly number[];
}

/** How the windows of a pool of x lie. */
interface Measured {
  readonly y: Shape;
  /** Whether every window is one element, in place. */
  readonly same: boolean;
  readonly dims: readonly number[];
}

/** @throws ShapeError, ArgumentError */
function measure(op: string, x: Shape, { filterSize, dilations: _, ...windows }: Pool): Measured {
  const sizes = spatialOf(x, true);
  const kernel = typeof filterSize === 'number' ? sizes.map(() => filterSize) : filterSize;
  if (sizes.length < 2 || sizes.length > 3 || kernel.length !== sizes.length)
    throw new ShapeError(
      `${op}: expected images [batch, ...sizes, channels] and as many sizes of a filter, got ${formatShape(x)} and ${kernel}`,
    );
  const [batch, channels] = [x[0] as number, x[x.length - 1] as number];
  const axes = axesOf(op, sizes, kernel, windows);
  const outputs = axes.map((axis) => axis.outputs);
  const y = imagesOf(batch, outputs, channels, true);
  const same = sizes.length === 2 && kernel.every((n) => n === 1) && sameShape(x, y);
  return { y, same, dims: [batch, channels, ...axisWords(axes), sizes.length === 3 ? 1 : 0] };
}

const isLast = (_: object, { dataFormat }: Pool): boolean => !dataFormat || dataFormat.endsWith('C');

/** The greatest of each window; while gradients are asked for, also where they are. */
const max = (op: string): Row =>
  row(
    { x: F },
    (backend, { x }, attrs: Pool) => {
      const { y: shape, same, dims } = measure(op, x.shape, attrs);
      if (same) return backend.share(x, x.shape);
      const y = backend.make(shape, 'float32');
      const from = backend.at(x);
      const index = backend.differentiates ? backend.temporary(y.dataId.size, 'int32') : null;
      backend.kernels.max_pool_last_forward_f32({ y: y.dataId, index, x: from, dims });
      if (index) {
        // It stays as long as y does.
        index.readers++;
        y.dataId.peaks = { index, x: from, dims };
      }
      return y;
    },
    isLast,
  );

/** Where the greatest are: as the pool has found them, if it was this one. */
function places(backend: Backend, x: Data, y: Data, dims: readonly number[]): Data {
  const { peaks } = y;
  if (peaks?.x === x && sameShape(peaks.dims, dims)) return peaks.index;
  const [again, index] = [backend.temporary(y.size, 'float32'), backend.temporary(y.size, 'int32')];
  backend.kernels.max_pool_last_forward_f32({ y: again, index, x, dims });
  return index;
}

/**
 * The gradient goes where the greatest are. Where it is then multiplied by the step of the relu() in front of the pool,
 * that is done before it is spread: it has as many elements as there are windows, and what a window takes is above 0
 * where the element is that it came from.
 */
const maxBackward = (op: string): Row =>
  row(
    { dy: F, input: F, output: F },
    (backend, { dy, input, output }, attrs: Pool) => {
      const { y: shape, dims } = measure(op, input.shape, attrs);
      const [g, y] = [dy, output].map((info) => beginning(backend, op, info, shape)) as [Data, Data];
      const x = backend.at(input);
      const index = places(backend, x, y, dims);
      const [planes, ...image] = input.shape as [number, ...number[]];
      const sizes = { planes, plane: numelOf(image), windows: numelOf(shape.slice(1)) };
      return backend.delay(input.shape, {
        inputs: [g, index, y],
        compute: (dx) => backend.kernels.max_pool_backward_f32({ dx, g, index, ...sizes }),
        joins: (kernel, { dataId: dx }, other) => {
          const gate = backend.at(other).later?.gate;
          if (kernel !== 'Multiply' || !gate || gate !== x.relu || dx.size !== x.size) return false;
          const above = backend.temporary(g.size, 'float32');
          backend.kernels.step_backward_f32({ dx: above, g, saved: y, n: g.size, alpha: 0 });
          backend.kernels.max_pool_backward_f32({ dx, g: above, index, ...sizes });
          return true;
        },
      });
    },
    isLast,
  );

const avg = (op: string): Row =>
  row(
    { x: F },
    (backend, { x }, attrs: Pool) => {
      const { y: shape, same, dims } = measure(op, x.shape, attrs);
      if (same) return backend.share(x, x.shape);
      const y = backend.make(shape, 'float32');
      backend.kernels.avg_pool_last_forward_f32({ y: y.dataId, x: backend.at(x), dims });
      return y;
    },
    isLast,
  );

const avgBackward = (op: string): Row =>
  row(
    { dy: F, input: F },
    (backend, { dy, input }, attrs: Pool) => {
      const { y, dims } = measure(op, input.shape, attrs);
      const g = beginning(backend, op, dy, y);
      const dx = backend.make(input.shape, 'float32');
      backend.kernels.avg_pool_last_backward_f32({ dx: dx.dataId, g, dims });
      return dx;
    },
    isLast,
  );

/** The maxima, and where they are: in their images or, by `includeBatchInIndex`, in all of x. */
function withPlaces(backend: Backend, x: Info, attrs: Pool & { readonly includeBatchInIndex?: boolean }): Info[] {
  const { y: shape, dims } = measure('maxPoolWithArgmax', x.shape, attrs);
  const [y, index] = [backend.make(shape, 'float32'), backend.make(shape, 'int32')];
  const [batch, ...rest] = dims as [number, ...number[]];
  // All images as the planes of one.
  const places = attrs.includeBatchInIndex ? [1, rest[0] as number, batch, batch, ...rest.slice(3)] : dims;
  backend.kernels.max_pool_last_forward_f32({ y: y.dataId, index: index.dataId, x: backend.at(x), dims: places });
  return [y, index];
}

export const pool: Family = {
  kernels: [poolKernels, poolLastKernels],
  rows: {
    MaxPool: max('maxPool'),
    AvgPool: avg('avgPool'),
    MaxPool3D: max('maxPool3d'),
    AvgPool3D: avg('avgPool3d'),
    MaxPoolGrad: maxBackward('maxPoolGrad'),
    MaxPool3DGrad: maxBackward('maxPool3dGrad'),
    AvgPoolGrad: avgBackward('avgPoolGrad'),
    AvgPool3DGrad: avgBackward('avgPool3dGrad'),
    MaxPoolWithArgmax: row({ x: F }, (backend, { x }, attrs: Pool) => withPlaces(backend, x, attrs)),
  },
};
