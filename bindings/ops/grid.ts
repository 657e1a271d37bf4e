// Images looked at where a grid says.
import { gridKernels } from '../generated/kernel-calls.ts';
import { gridModes, gridPaddings } from '../kernels/resample.ts';
import { optional } from '../lookup.ts';
import { ArgumentError, formatShape, ShapeError } from '../memory/errors.ts';
import { numelOf, type Shape } from '../tensor.ts';
import { attrs, calling, f32, family, grad, noSecondDerivative, row, signature } from './core.ts';
import { expectShape } from './shapes.ts';

/** How a point is looked up. */
export interface GridAttrs {
  readonly mode: (typeof gridModes)[number];
  readonly padding: (typeof gridPaddings)[number];
  /** Whether −1 and 1 are the middles of the first and the last elements; else their outer edges. */
  readonly align: boolean;
}

const s = optional(() => ({
  /** x [n, channels, ...size] and grid [n, ...outputs, as many coordinates as sizes] → [n, channels, ...outputs]. */
  gridSample: signature({ x: f32, grid: f32 }, { y: grad }, attrs<GridAttrs>()),
  /** dx of `shape`. */
  gridSampleBackwardInput: signature(
    { g: f32, grid: f32 },
    { dx: grad },
    attrs<GridAttrs & { readonly shape: Shape }>(),
  ),
  gridSampleBackwardGrid: signature({ g: f32, x: f32, grid: f32 }, { dgrid: grad }, attrs<GridAttrs>()),
}));
type S = typeof s;
declare module './core.ts' {
  interface OpTypes extends S {}
}

/** The shape of the result. @throws ShapeError, ArgumentError */
function sampled(op: string, x: Shape, grid: Shape, { mode }: GridAttrs): number[] {
  const axes = x.length - 2;
  if (axes !== 2 && axes !== 3)
    throw new ShapeError(
      `${op}: expected input [n, channels, height, width] or [n, channels, depth, height, width], got ${formatShape(x)}`,
    );
  if (grid.length !== x.length || grid[0] !== x[0] || grid.at(-1) !== axes)
    throw new ShapeError(
      `${op}: expected a grid [${x[0]}, ${'…, '.repeat(axes)}${axes}] for input ${formatShape(x)}, got ${formatShape(grid)}`,
    );
  if (x.slice(2).some((size) => size < 1))
    throw new ShapeError(`${op}: expected images of at least 1 element, got ${formatShape(x)}`);
  if (mode === 'bicubic' && axes !== 2)
    throw new ArgumentError(`${op}: expected mode 'bilinear' or 'nearest' for input of 5 dims, got 'bicubic'`);
  return [...x.slice(0, 2), ...grid.slice(1, -1)];
}

/** The `dims` of the kernels: see assembly/spatial/grid.ts. */
function dimsOf(x: Shape, grid: Shape, { mode, padding, align }: GridAttrs): number[] {
  const [n, channels, ...size] = x as [number, number, ...number[]];
  const [plane, points] = [numelOf(size), numelOf(grid.slice(1, -1))];
  if (size.length === 2) size.unshift(1);
  return [
    ...[n, channels, channels * plane, channels * points, points, grid.length - 2],
    ...[gridModes.indexOf(mode), gridPaddings.indexOf(padding), Number(align), ...size],
  ];
}

export const gridRows = family(calling(gridKernels, s), () => ({
  gridSample: row(s.gridSample, {
    outputs: (make, { x, grid }, attributes, op) => ({ y: make(sampled(op, x.sizes, grid.sizes, attributes), 'f32') }),
    forward: (k, { y }, { x, grid }, attributes) =>
      k.grid_sample_forward_f32({ y, x, grid, dims: dimsOf(x.sizes, grid.sizes, attributes) }),
    saves: ['x', 'grid'],
    backward: (o, { y: g }, { x, grid }, attributes, { needs, shapes }) => ({
      x: needs.x ? o.gridSampleBackwardInput({ g, grid }, { ...attributes, shape: shapes.x }) : null,
      grid: needs.grid ? o.gridSampleBackwardGrid({ g, x, grid }, attributes) : null,
    }),
  }),
  gridSampleBackwardInput: row(s.gridSampleBackwardInput, {
    outputs: (make, { g, grid }, { shape, ...attributes }, op) => {
      expectShape(op, 'the gradient', g, sampled(op, shape, grid.sizes, attributes));
      return { dx: make(shape, 'f32') };
    },
    forward: (k, { dx }, { g, grid }, { shape, ...attributes }) =>
      k.grid_sample_backward_input_f32({ dx, g, grid, dims: dimsOf(shape, grid.sizes, attributes) }),
    backward: () => noSecondDerivative('gridSample'),
  }),
  gridSampleBackwardGrid: row(s.gridSampleBackwardGrid, {
    outputs: (make, { g, x, grid }, attributes, op) => {
      expectShape(op, 'the gradient', g, sampled(op, x.sizes, grid.sizes, attributes));
      return { dgrid: make(grid.sizes, 'f32') };
    },
    forward: (k, { dgrid }, { g, x, grid }, attributes) =>
      k.grid_sample_backward_grid_f32({ dgrid, g, x, grid, dims: dimsOf(x.sizes, grid.sizes, attributes) }),
    backward: () => noSecondDerivative('gridSample'),
  }),
}));
