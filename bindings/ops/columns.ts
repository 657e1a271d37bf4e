// Windows of images as columns, and the images that columns add up to: each is the other's gradient.
import { columnKernels } from '../generated/kernel-calls.ts';
import { optional } from '../lookup.ts';
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import type { Shape } from '../tensor.ts';
import { attrs, calling, f32, family, grad, row, signature } from './core.ts';
import { expectShape } from './shapes.ts';

/** Windows that slide over [height, width]: two numbers each. */
export interface ColumnAttrs {
  readonly kernelSize: readonly number[];
  readonly stride: readonly number[];
  /** Zeros on both sides. */
  readonly padding: readonly number[];
  readonly dilation: readonly number[];
}

const s = optional(() => ({
  /** x [n, channels, height, width] → [n, channels · taps, windows]. */
  im2col: signature({ x: f32 }, { y: grad }, attrs<ColumnAttrs>()),
  /** Columns [n, channels · taps, windows] → [n, channels, ...size], where each element is the sum of what all have. */
  col2im: signature({ x: f32 }, { y: grad }, attrs<ColumnAttrs & { readonly size: readonly number[] }>()),
}));
type S = typeof s;
declare module './core.ts' {
  interface OpTypes extends S {}
}

const MOST = 2 ** 28; // so that positions fit an i32, padding included

/** The axes of the kernels' `dims`. @throws ShapeError, ArgumentError */
function axesOf(op: string, size: Shape, { kernelSize, stride, padding, dilation }: ColumnAttrs): number[][] {
  for (const [name, values, least] of [
    ['size', size, 1],
    ['kernelSize', kernelSize, 1],
    ['stride', stride, 1],
    ['padding', padding, 0],
    ['dilation', dilation, 1],
  ] as const)
    if (values.length !== 2 || !values.every((n) => Number.isInteger(n) && n >= least && n <= MOST))
      throw new ArgumentError(`${op}: expected ${name} of 2 whole numbers >= ${least}, got ${formatShape(values)}`);
  return size.map((n, d) => {
    const [kernel, step, pad, apart] = [kernelSize[d], stride[d], padding[d], dilation[d]] as [
      number,
      number,
      number,
      number,
    ];
    const windows = Math.floor((n + 2 * pad - apart * (kernel - 1) - 1) / step) + 1;
    if (windows < 1)
      throw new ShapeError(
        `${op}: expected windows that fit the padded image ${formatShape(size)}, got kernelSize ${formatShape(kernelSize)} with dilation ${formatShape(dilation)}`,
      );
    return [n, windows, kernel, Math.min(step, n + pad), pad, apart];
  });
}

const product = (axes: readonly number[][], word: number): number =>
  axes.reduce((total, axis) => total * (axis[word] as number), 1);

const windowsOf = ({ kernelSize, stride, padding, dilation }: ColumnAttrs): ColumnAttrs => ({
  kernelSize,
  stride,
  padding,
  dilation,
});

export const columnRows = family(calling(columnKernels, s), () => ({
  im2col: row(s.im2col, {
    title: () => 'unfold',
    outputs: (make, { x }, attributes, op) => {
      if (x.ndim !== 4)
        throw new ShapeError(
          `${op}: expected input [n, channels, height, width], with or without n, got ${formatShape(x.sizes)}`,
        );
      const axes = axesOf(op, x.sizes.slice(2), attributes);
      const [n, channels] = x.sizes as [number, number];
      return { y: make([n, channels * product(axes, 2), product(axes, 1)], 'f32') };
    },
    forward: (k, { y }, { x }, attributes) => {
      const [n, channels, ...size] = x.sizes as [number, number, ...number[]];
      k.im2col_f32({ y, x, planes: n * channels, dims: axesOf('unfold', size, attributes).flat() });
    },
    backward: (o, { y: g }, _, attributes, { shapes }) => ({
      x: o.col2im({ x: g }, { ...attributes, size: shapes.x.slice(2) }),
    }),
  }),
  col2im: row(s.col2im, {
    title: () => 'fold',
    outputs: (make, { x }, { size, ...attributes }, op) => {
      if (x.ndim !== 3)
        throw new ShapeError(
          `${op}: expected input [n, channels · taps, windows], with or without n, got ${formatShape(x.sizes)}`,
        );
      const axes = axesOf(op, size, attributes);
      const [n, rows] = x.sizes as [number, number];
      const channels = rows / product(axes, 2);
      if (!Number.isInteger(channels))
        throw new ShapeError(
          `${op}: expected channels · ${product(axes, 2)} rows for kernelSize ${formatShape(attributes.kernelSize)}, got ${formatShape(x.sizes)}`,
        );
      expectShape(op, 'input', x, [n, rows, product(axes, 1)]);
      return { y: make([n, channels, ...size], 'f32') };
    },
    forward: (k, { y }, { x }, { size, ...attributes }) => {
      const [n, channels] = y.sizes as [number, number];
      k.col2im_f32({ x: y, y: x, planes: n * channels, dims: axesOf('fold', size, attributes).flat() });
    },
    backward: (o, { y: g }, _, attributes) => ({ x: o.im2col({ x: g }, windowsOf(attributes)) }),
  }),
}));
