// Images of another size, and padded by mirrors. What is not here (CropAndResize, RotateWithOffset, Transform,
// Dilation2D) the cpu backend computes.
import { padKernels, resampleKernels } from '../../generated/kernel-calls.ts';
import { type Edge, edges, SYMMETRIC } from '../../kernels/pad.ts';
import { samplings } from '../../kernels/resample.ts';
import { split3 } from '../../ops/shapes.ts';
import { contiguousStrides, numelOf, type Shape } from '../../sizes.ts';
import type { Backend } from '../backend.ts';
import type { Data, NumberDtype } from '../data.ts';
import type { Info } from '../engine.ts';
import { F, type Family, I, type Row, row } from '../row.ts';
import { asFloat } from './layout.ts';

interface Resize {
  readonly size: readonly [number, number];
  readonly alignCorners?: boolean;
  readonly halfPixelCenters?: boolean;
}

/** How a kernel resizes images of a shape along their dims 1 and 2. */
interface Axis {
  readonly outer: number;
  readonly inner: number;
  readonly dims: readonly number[];
}

/** Along height, then width. What stays as it is is left out, but for one. */
function axesOf(linear: boolean, from: Shape, to: readonly number[], attrs: Omit<Resize, 'size'>): Axis[] {
  const { alignCorners = false, halfPixelCenters = false } = attrs;
  const half = linear ? 0 : 2;
  const align = alignCorners ? 1 : halfPixelCenters ? half : 2;
  const mode = samplings.indexOf(linear ? 'linear' : halfPixelCenters && !alignCorners ? 'nearest-exact' : 'nearest');
  const shape = [...from];
  const axes = [1, 2].map((d): Axis => {
    const [n, m] = [shape[d], to[d - 1]] as [number, number];
    const [outer, , inner] = split3(shape, d);
    shape[d] = m;
    return { outer, inner, dims: [n, m, mode, linear ? Math.min(2, n) : 1, align] };
  });
  const changed = axes.filter(({ dims: [n, m] }) => n !== m);
  return changed.length > 0 ? changed : axes.slice(0, 1);
}

/** One kernel for each axis, from x to y or, backwards, from the gradient of y to that of x. */
function resample(backend: Backend, y: Data, x: Data, axes: readonly Axis[], back: boolean): void {
  let from = x;
  axes.forEach(({ outer, inner, dims }, i) => {
    const sizes = { outer, inner, scale: 0, dims };
    const to = i === axes.length - 1 ? y : backend.temporary(outer * inner * (dims[back ? 0 : 1] as number), 'float32');
    if (back) backend.kernels.resample_backward_f32({ dx: to, g: from, ...sizes });
    else backend.kernels.resample_forward_f32({ y: to, x: from, ...sizes });
    from = to;
  });
}

const resize = (linear: boolean): Row =>
  row<{ images: number }, Resize>(
    { images: linear ? F | I : F },
    (backend, { images }, attrs) => {
      const { shape } = images;
      const y = backend.make([shape[0] as number, ...attrs.size, shape[3] as number], 'float32');
      const x = linear ? asFloat(backend, images) : backend.at(images);
      resample(backend, y.dataId, x, axesOf(linear, shape, attrs.size, attrs), false);
      return y;
    },
    ({ images }, { size }) => images.shape.length === 4 && numelOf(images.shape) * numelOf(size) > 0,
  );

const resizeBackward = (linear: boolean): Row =>
  row<{ images: number; dy: number }, Resize>(
    { images: F, dy: F },
    (backend, { images, dy }, attrs) => {
      const dx = backend.make(images.shape, 'float32');
      const axes = axesOf(linear, images.shape, dy.shape.slice(1, 3), attrs);
      resample(backend, dx.dataId, backend.at(dy), axes.reverse(), true);
      return dx;
    },
    ({ images: { shape }, dy }) =>
      numelOf(shape) * numelOf(dy.shape) > 0 && dy.shape[0] === shape[0] && dy.shape[3] === shape[3],
  );

interface Mirror {
  readonly paddings: readonly (readonly [number, number])[];
  readonly mode: 'reflect' | 'symmetric';
}

/** Pads all dims by what lies inside of them. */
function mirror(backend: Backend, x: Info, { paddings, mode }: Mirror): Info {
  const shape = x.shape.map((n, d) => n + (paddings[d]?.[0] as number) + (paddings[d]?.[1] as number));
  const y = backend.make(shape, x.dtype as NumberDtype);
  const { size } = y.dataId;
  if (size === 0) return y;
  const [from, to] = [contiguousStrides(x.shape), contiguousStrides(shape)];
  const axes = x.shape.map((n, d) => [n, shape[d], paddings[d]?.[0], from[d], to[d]] as number[]);
  // The kernel takes two axes or more.
  while (axes.length < 2) axes.unshift([1, 1, 0, 1, 1]);
  const code = mode === 'symmetric' ? SYMMETRIC : edges.indexOf('reflect' satisfies Edge);
  const dims = [numelOf(x.shape), size, code, axes.length, ...axes.flat()];
  backend.kernels.pad_edge_forward_32({ y: y.dataId, x: backend.at(x), outer: 1, dims });
  return y;
}

export const image: Family = {
  kernels: [resampleKernels, padKernels],
  rows: {
    ResizeBilinear: resize(true),
    ResizeNearestNeighbor: resize(false),
    ResizeBilinearGrad: resizeBackward(true),
    ResizeNearestNeighborGrad: resizeBackward(false),
    MirrorPad: row(
      { x: F | I },
      (backend, { x }, attrs: Mirror) => mirror(backend, x, attrs),
      ({ x }, { paddings, mode }) =>
        paddings.length === x.shape.length &&
        x.shape.every((n, d) => {
          const most = mode === 'reflect' ? n - 1 : n;
          return (paddings[d] ?? []).every((p) => p >= 0 && p <= most);
        }),
    ),
  },
};
