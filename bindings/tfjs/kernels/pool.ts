// Pools of images and volumes, whose channels are the last dim.
import { poolLastKernels } from '../../generated/kernel-calls.ts';
import type { Kernels } from '../../kernels/table.ts';
import { formatShape, ShapeError } from '../../memory/errors.ts';
import { type Shape, sameShape } from '../../sizes.ts';
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

type Forward = (k: Kernels, call: { readonly y: Data; readonly x: Data; readonly dims: readonly number[] }) => void;
const maximum: Forward = (kernels, call) => kernels.max_pool_last_forward_f32(call);
const mean: Forward = (kernels, call) => kernels.avg_pool_last_forward_f32(call);

const forward = (op: string, compute: Forward): Row =>
  row(
    { x: F },
    (backend, { x }, attrs: Pool) => {
      const { y: shape, same, dims } = measure(op, x.shape, attrs);
      if (same) return backend.share(x, x.shape);
      const y = backend.make(shape, 'float32');
      compute(backend.kernels, { y: y.dataId, x: backend.at(x), dims });
      return y;
    },
    isLast,
  );

const maxBackward = (op: string): Row =>
  row(
    { dy: F, input: F, output: F },
    (backend, { dy, input, output }, attrs: Pool) => {
      const { y, dims } = measure(op, input.shape, attrs);
      const [g, top] = [dy, output].map((info) => beginning(backend, op, info, y)) as [Data, Data];
      const dx = backend.make(input.shape, 'float32');
      backend.kernels.max_pool_last_backward_f32({ dx: dx.dataId, g, x: backend.at(input), y: top, dims });
      return dx;
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
  const from = backend.at(x);
  backend.kernels.max_pool_last_forward_f32({ y: y.dataId, x: from, dims });
  const [batch, ...rest] = dims as [number, ...number[]];
  // All images as the planes of one.
  const places = attrs.includeBatchInIndex ? [1, rest[0] as number, batch, batch, ...rest.slice(3)] : dims;
  backend.kernels.max_pool_last_index_f32({ index: index.dataId, y: y.dataId, x: from, dims: places });
  return [y, index];
}

export const pool: Family = {
  kernels: [poolLastKernels],
  rows: {
    MaxPool: forward('maxPool', maximum),
    AvgPool: forward('avgPool', mean),
    MaxPool3D: forward('maxPool3d', maximum),
    AvgPool3D: forward('avgPool3d', mean),
    MaxPoolGrad: maxBackward('maxPoolGrad'),
    MaxPool3DGrad: maxBackward('maxPool3dGrad'),
    AvgPoolGrad: avgBackward('avgPoolGrad'),
    AvgPool3DGrad: avgBackward('avgPool3dGrad'),
    MaxPoolWithArgmax: row({ x: F }, (backend, { x }, attrs: Pool) => withPlaces(backend, x, attrs)),
  },
};
