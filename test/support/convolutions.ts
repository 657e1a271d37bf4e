// Convolutions that kernels are tried on, and the kernels run on them.
import { expect } from 'vitest';
import {
  type Axis,
  axis,
  channelsLast,
  define,
  inPixels,
  NONE,
  outPixels,
  type Shape,
  type Sums,
  sizesOf,
  taps,
} from '../../reference/conv.ts';
import { random } from '../../reference/random.ts';
import type { KernelBench } from './kernels.ts';

export const square = (channels: readonly [number, number], a: Axis, { batch = 1, groups = 1 } = {}): Shape => ({
  batch,
  groups,
  ins: channels[0],
  outs: channels[1],
  axes: [NONE, a, a],
});

const wide = (ins: number, outs: number, height: Axis, width: Axis): Shape => ({
  ...{ batch: 1, groups: 1, ins, outs },
  axes: [NONE, height, width],
});

export const shapes: readonly (readonly [string, Shape])[] = [
  ['one element', square([1, 1], axis(1, 1))],
  ['1x1', square([9, 7], axis(5, 1), { batch: 2 })],
  ['1x1, images of one pixel', square([9, 7], axis(1, 1), { batch: 5 })],
  ['1x1, more pixels than a block has', square([3, 5], axis(24, 1))],
  // Blocks have 512 pixels: the last has one, or fewer than a vector.
  ['1x1, one pixel in the last block', { batch: 1, groups: 1, ins: 3, outs: 5, axes: [NONE, NONE, axis(513, 1)] }],
  ['1x1, one pixel of five images', { batch: 5, groups: 1, ins: 2, outs: 9, axes: [NONE, NONE, axis(205, 1)] }],
  ['3 taps, three in the last block', { batch: 1, groups: 1, ins: 2, outs: 3, axes: [NONE, NONE, axis(515, 3, 1, 1)] }],
  ['1x1, stride 2', square([3, 5], axis(9, 1, 2))],
  ['3x3', square([5, 9], axis(9, 3, 1, 1), { batch: 2 })],
  ['3x3, images of one block', square([4, 6], axis(7, 3, 1, 1), { batch: 13 })],
  ['3x3, several K blocks', square([61, 10], axis(6, 3, 1, 1))],
  ['3x3, several blocks of rows', square([2, 151], axis(5, 3, 1, 1))],
  ['3x3, stride 2', square([5, 6], axis(12, 3, 2, 1), { batch: 2 })],
  // To add taps to images, blocks are 512 steps deep, of 72 rows and 256 pixels.
  ['3x3, stride 2, several deep blocks', square([9, 521], axis(7, 3, 2, 1), { batch: 17 })],
  ['2x2, stride 3: elements that no tap reaches', square([3, 4], axis(11, 2, 3, 1))],
  ['3x3, stride 4, dilation 2: a common factor', square([3, 4], axis(13, 3, 4, 2, 2))],
  ['3x3, dilation 3', square([3, 4], axis(13, 3, 1, 3, 3))],
  ['4x4, more padding behind', square([3, 4], axis(9, 4, 1, 1, 1, 2))],
  ['3x3, less than no padding behind', square([3, 4], axis(9, 3, 2, 1, 1, -1))],
  ['5x5, padding as wide as the kernel', square([2, 3], axis(6, 5, 1, 5))],
  ['7x7, stride 2', square([3, 9], axis(23, 7, 2, 3))],
  ['3x3, stride 2, phases of several bands', square([15, 3], axis(48, 3, 2, 1))],
  [
    '3x3, stride 2 down and 3 across',
    { batch: 2, groups: 2, ins: 5, outs: 3, axes: [NONE, axis(9, 3, 2, 1), axis(20, 4, 3)] },
  ],
  ['2x2, stride 2, one row', square([3, 40], axis(1, 2, 2, 1, 1, 1))],
  ['3x3, three outputs', square([5, 3], axis(9, 3, 1, 1), { batch: 2 })],
  ['3x3, one output', square([5, 1], axis(9, 3, 1, 1), { batch: 2 })],
  ['groups', square([3, 4], axis(9, 3, 1, 1), { groups: 3, batch: 2 })],
  ['groups of one input', square([1, 2], axis(9, 3, 2, 1), { groups: 5 })],
  ['depthwise 3x3', square([1, 1], axis(14, 3, 1, 1), { groups: 5, batch: 2 })],
  ['depthwise 3x3, wide', square([1, 1], axis(131, 3, 1, 1), { groups: 2 })],
  ['depthwise 3x3, planes of a vector', square([1, 1], axis(4, 3, 1, 1), { groups: 3, batch: 2 })],
  [
    'depthwise 3x3, one row',
    { batch: 1, groups: 2, ins: 1, outs: 1, axes: [NONE, axis(1, 3, 1, 1), axis(11, 3, 1, 1)] },
  ],
  ['depthwise 3x3, not padded', square([1, 1], axis(13, 3), { groups: 2, batch: 2 })],
  ['depthwise 3x3, stride 2, even', square([1, 1], axis(14, 3, 2, 1), { groups: 5, batch: 2 })],
  ['depthwise 3x3, stride 2, planes of two vectors', square([1, 1], axis(8, 3, 2, 1), { groups: 2 })],
  [
    'depthwise 3x3, stride 2, two rows',
    { batch: 2, groups: 2, ins: 1, outs: 1, axes: [NONE, axis(2, 3, 2, 1), axis(22, 3, 2, 1)] },
  ],
  ['depthwise 3x3, stride 2', square([1, 1], axis(15, 3, 2, 1), { groups: 5, batch: 2 })],
  ['depthwise 3x3, stride 3', square([1, 1], axis(16, 3, 3, 2), { groups: 2 })],
  ['depthwise 5x5, dilation 2', square([1, 1], axis(13, 5, 1, 3, 2), { groups: 3 })],
  ['depthwise 3x3, stride 2, several bands', square([1, 1], axis(151, 3, 2, 1))],
  ['depthwise 3x3, 16 channels', square([1, 1], axis(5, 3, 1, 1), { groups: 16, batch: 2 })],
  ['depthwise 3x3, 16 channels and a rest', square([1, 1], axis(6, 3, 2, 1), { groups: 37, batch: 2 })],
  // Backward, a band has 307 rows of 15 outputs.
  [
    'depthwise 3x3, stride 2, tall',
    { batch: 1, groups: 1, ins: 1, outs: 1, axes: [NONE, axis(640, 3, 2, 1), axis(30, 3, 2, 1)] },
  ],
  // The one row of outputs lets strides differ: backward, elements spread by 2 across.
  [
    'depthwise 3x3, stride 3 down and 2 across',
    { batch: 2, groups: 3, ins: 1, outs: 1, axes: [NONE, axis(3, 3, 3), axis(19, 3, 2, 1)] },
  ],
  ['2x2, stride 2, rows of 9 outputs', square([3, 2], axis(18, 2, 2))],
  ['depthwise 5x5', square([1, 1], axis(14, 5, 1, 2), { groups: 3, batch: 2 })],
  ['depthwise 5x5, narrow', square([1, 1], axis(7, 5, 1, 2), { groups: 3 })],
  ['depthwise 5x5, stride 2', square([1, 1], axis(35, 5, 2, 2), { groups: 2 })],
  ['depthwise 2x2, stride 2, dilation 2', square([1, 1], axis(12, 2, 2, 1, 2), { groups: 2 })],
  ['depthwise 1x1, stride 2', square([1, 1], axis(9, 1, 2), { groups: 2 })],
  ['depthwise 7x7', square([1, 1], axis(37, 7, 1, 3), { groups: 2 })],
  ['depthwise 7x7, band by band', square([1, 1], axis(83, 7, 1, 3))],
  ['depthwise 3x3, small', square([1, 1], axis(3, 3, 1, 1), { groups: 3, batch: 2 })],
  ['depthwise over one axis', { batch: 2, groups: 3, ins: 1, outs: 1, axes: [NONE, NONE, axis(19, 4, 2, 1)] }],
  ['32 outputs of one', square([1, 32], axis(7, 3, 2, 1), { batch: 2 })],
  ['more outputs than one', square([1, 5], axis(9, 3, 1, 1), { batch: 2 })],
  ['one axis', { batch: 3, groups: 1, ins: 4, outs: 6, axes: [NONE, NONE, axis(37, 5, 2, 2)] }],
  ['three axes', { batch: 2, groups: 2, ins: 2, outs: 3, axes: [axis(4, 2), axis(5, 3, 2, 1), axis(6, 3, 1, 1, 2)] }],
  [
    'depthwise over three axes',
    { batch: 1, groups: 3, ins: 1, outs: 1, axes: [axis(4, 2), axis(5, 3, 1, 1), axis(6, 3)] },
  ],
  ['no images', square([2, 3], axis(5, 3), { batch: 0 })],
];

/**
 * Those of 3x3 or 5x5 taps with enough channels go by Winograd's algorithm: tiles of 4x4 or 2x2 outputs, all of an
 * image or parts; and of 3x3 taps with fewer by that of four rows.
 */
export const tiled: readonly (readonly [string, Shape])[] = [
  ['tiles, one of four', square([16, 16], axis(4, 3, 1, 1), { batch: 3 })],
  ['tiles cut off, channels that fill no vector', square([17, 19], axis(9, 3, 1, 1), { batch: 2 })],
  ['tiles, several blocks', square([16, 18], axis(35, 3, 1, 1))],
  ['tiles, several blocks of channels', square([131, 29], axis(6, 3, 1, 1), { batch: 2 })],
  ['tiles, several blocks of lines', square([70, 53], axis(7, 3, 1, 1), { batch: 4 })],
  ['tiles without padding', square([18, 16], axis(10, 3), { batch: 2 })],
  ['tiles, more padding than taps', square([16, 17], axis(5, 3, 1, 4))],
  ['tiles, more padding behind', square([16, 16], axis(6, 3, 1, 1, 1, 3), { batch: 2 })],
  ['tiles, wide', { batch: 1, groups: 1, ins: 16, outs: 16, axes: [NONE, axis(4, 3, 1, 1), axis(270, 3, 1, 1)] }],
  ['tiles in groups', square([16, 20], axis(8, 3, 1, 1), { groups: 2, batch: 2 })],
  // As many tiles as the gradient of w needs to go by them as well.
  ['tiles in groups, enough for weights', square([17, 16], axis(10, 3, 1, 1), { groups: 3, batch: 2 })],
  // Four tiles, and nine, are the rows of a product.
  ['few tiles', square([19, 37], axis(7, 3, 1, 1))],
  ['few tiles, several blocks of channels', square([130, 33], axis(12, 3))],
  ['tiles of four rows', square([3, 5], axis(28, 3, 1, 1), { batch: 2 })],
  ['tiles of four rows, which overlap', square([7, 2], axis(13, 3, 1, 1), { batch: 2 })],
  ['tiles of four rows in groups', square([4, 3], axis(12, 3), { groups: 2, batch: 2 })],
  // Bands of 48 rows, behind which there are two, and 22.
  ['tiles of four rows, two bands', wide(3, 5, axis(50, 3, 1, 1), axis(300, 3, 1, 1))],
  ['tiles of four rows, a band that overlaps', wide(3, 4, axis(70, 3, 1, 1), axis(300, 3, 1, 2))],
  ['tiles of 5x5 taps', square([16, 19], axis(9, 5, 1, 2), { batch: 2 })],
  ['tiles of 5x5 taps, few', square([9, 15], axis(4, 5, 1, 2))],
  ['tiles of 5x5 taps, several blocks', square([8, 17], axis(26, 5, 1, 2))],
  ['tiles of 5x5 taps, several blocks of channels', square([131, 29], axis(7, 5), { batch: 2 })],
  ['tiles of 5x5 taps in groups', square([17, 8], axis(8, 5, 1, 3, 1, 1), { groups: 2, batch: 3 })],
];
export const all = [...shapes, ...tiled];

/** The `dims` operand of a convolution, or of a slice of it whose tensors are those of `whole`. */
export const dimsOf = (shape: Shape, whole = shape): number[] => [
  shape.batch,
  shape.groups,
  shape.ins,
  shape.outs,
  whole.groups * whole.ins * inPixels(whole),
  whole.groups * whole.outs * outPixels(whole),
  ...shape.axes.flat(),
];

export interface Tensors {
  readonly x: Float32Array;
  readonly w: Float32Array;
  readonly g: Float32Array;
}
export function tensors(shape: Shape, next: () => number): Tensors {
  const sizes = sizesOf(shape);
  const make = (length: number): Float32Array => Float32Array.from({ length }, () => next() * 2 - 1);
  return { x: make(sizes.x), w: make(sizes.w), g: make(sizes.y) };
}

/** Operands and what they should give, made once for each name. */
const problems = new Map<string, { given: Tensors; expected: ReturnType<typeof define> }>();
export function problem(name: string, shape: Shape) {
  const given = problems.get(name)?.given ?? tensors(shape, random(name));
  const made = problems.get(name) ?? { given, expected: define(shape, given) };
  problems.set(name, made);
  return made;
}

/**
 * NCHW: x [n, channels, ...pixels], w [out, in, ...kernel]; NHWC: x [n, ...pixels, channels], w [...kernel, in, out].
 */
export type Layout = 'nchw' | 'nhwc';
export const layouts: readonly Layout[] = ['nchw', 'nhwc'];

/** What the kernels of a layout compute, by the numbers of conv_select_f32. */
const directions = ['y', 'dx', 'dw'] as const;

/** The algorithms that are selected for a convolution. @param dims its list in memory */
export function select(bench: KernelBench, layout: Layout, dims: number): Record<'y' | 'dx' | 'dw', number> {
  const selected = directions.map((name, i) => [name, bench.run('conv_select_f32', i, layouts.indexOf(layout), dims)]);
  return Object.fromEntries(selected) as Record<'y' | 'dx' | 'dw', number>;
}

/** How many lines of outputs a convolution has, in all planes of all images. */
export const linesOf = ({ batch, axes: [[, planes], [, rows]] }: Shape): number => batch * planes * rows;

/** What forward kernels of NHWC take beside those of NCHW: the first line and how many. */
export const lineArguments = (layout: Layout, shape: Shape, first = 0, lines = linesOf(shape)): number[] =>
  layout === 'nhwc' ? [first, lines] : [];

/** Likewise of the gradient of weights: the first tap and how many. */
export const tapArguments = (layout: Layout, shape: Shape): number[] => (layout === 'nhwc' ? [0, taps(shape)] : []);

export interface Options {
  readonly outBias?: Float32Array;
  readonly inBias?: Float32Array;
  readonly act?: number;
  readonly layout?: Layout;
  /** The number of one. @defaultValue {@link SELECT} */
  readonly algorithm?: number;
}
/** The algorithm that asks a kernel to select one. */
export const SELECT = 0;

/** The kernels of a layout, on tensors that are NCHW. */
export function run(
  bench: KernelBench,
  shape: Shape,
  tensors: Tensors,
  { outBias, inBias, act = 0, layout = 'nchw', algorithm = SELECT }: Options = {},
) {
  const nhwc = layout === 'nhwc';
  const { x, w, g } = nhwc ? channelsLast(shape, tensors) : tensors;
  const prefix = nhwc ? 'conv_nhwc' : 'conv';
  bench.reset();
  const [px, pw, pg] = [bench.f32(x), bench.f32(w), bench.f32(g)];
  const [y, dx, dw] = [bench.f32(g.length), bench.f32(x.length), bench.f32(w.length)];
  const [po, pi] = [outBias ? bench.f32(outBias) : 0, inBias ? bench.f32(inBias) : 0];
  const workspace = bench.f32((bench.run('gemm_workspace_bytes') as number) / 4);
  const dims = bench.i32(dimsOf(shape));
  const lines = lineArguments(layout, shape);
  bench.run(`${prefix}_forward_f32`, y, px, pw, po, ...lines, act, algorithm, workspace, dims);
  bench.run(`${prefix}_backward_input_f32`, dx, pg, pw, pi, algorithm, workspace, dims);
  bench.run(`${prefix}_backward_weight_f32`, dw, pg, px, ...tapArguments(layout, shape), algorithm, workspace, dims);
  const made = { y: bench.readF32(y, g.length), dx: bench.readF32(dx, x.length), dw: bench.readF32(dw, w.length) };
  return nhwc ? channelsLast(shape, made, true) : made;
}

/** `name` says of what shape: tiles also hold traces of what is added and taken away in the tile. */
export function close(name: string, what: string, actual: Float32Array, { value, size }: Sums): void {
  const trace = tiled.some(([other]) => other === name) ? size.reduce((a, b) => a + b, 0) / size.length : 0;
  for (let i = 0; i < actual.length; i++) {
    // Each product is rounded a few times on its way into a sum of this many terms.
    const bound = Math.max(size[i] as number, trace) * 600 * 2 ** -24;
    if (!(Math.abs((actual[i] as number) - (value[i] as number)) <= bound))
      expect.fail(`${what}[${i}] = ${actual[i]}, expected ${value[i]}`);
  }
}
