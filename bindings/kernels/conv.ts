// Convolutions, forward and both gradients, in both layouts.

import { optional } from '../lookup.ts';
import { algorithm, input, kernel, list, maybe, moving, size, workspace } from './descriptor.ts';
import { activations, MULTIPLY_ADD } from './gemm.ts';

/** Words in front of the axes, and of each axis: see assembly/conv/geometry.ts. */
const HEAD = 6;
const AXIS = 6;

/** [size, outputs, kernel, stride, padding, dilation] of a trial. */
const unit = [1, 1, 1, 1, 0, 1];
const axis = [12, 12, 3, 1, 1, 1];
const pixels = 12 * 12;

/** [batch, groups, in, out, from image to image of x, and of y, three axes]; channels are those of one group. */
const geometry = optional(() =>
  list(
    ['batch', 'groups', 'in', 'out', 'inImage', 'outImage'],
    (dims) => {
      const along = (word: number): number => {
        let product = 1;
        for (let at = HEAD + word; at < dims.length; at += AXIS) product *= dims[at] as number;
        return product;
      };
      const columns = dims[HEAD + 2 * AXIS + 1] as number;
      const line = columns * ((dims[5] as number) / Math.max(1, along(1)));
      return { inPlane: along(0), outPlane: along(1), taps: along(2), columns, line };
    },
    [
      [1, 1, 8, 16, 8 * pixels, 16 * pixels, ...unit, ...axis, ...axis],
      [1, 8, 1, 1, 8 * pixels, 8 * pixels, ...unit, ...axis, ...axis], // depthwise
      [5, 2, 3, 20, 6 * pixels, 40 * pixels, ...unit, ...axis, ...axis],
      [2, 1, 5, 70, 5 * pixels, 70 * pixels, ...unit, ...axis, ...axis],
      [3, 40, 1, 1, 40 * 25, 40 * 9, ...unit, 5, 3, 3, 2, 1, 1, 5, 3, 3, 2, 1, 1], // depthwise, every other position
    ],
  ),
);

/** How much longer a multiply-add takes where each channel has its own kernel. */
const LONE = 2.5;
const cost = ({ dims }: { readonly dims: readonly number[] }): number => {
  let work = (dims[0] as number) * (dims[1] as number) * (dims[2] as number) * (dims[3] as number) * MULTIPLY_ADD;
  for (let at = HEAD; at < dims.length; at += AXIS) work *= (dims[at + 1] as number) * (dims[at + 2] as number);
  return dims[2] === 1 ? LONE * work : work;
};
const byImage = { cut: () => ({ along: 'batch' as const, grain: 1 }), cost };

type Channels = { readonly groups: number; readonly out: number };
/** Channels lie side by side in NHWC, and threads should not write to the same cache line. */
const byChannels = ({ groups, out }: Channels) =>
  groups === 1
    ? { along: 'out' as const, grain: 16 }
    : { along: 'groups' as const, grain: Math.ceil(16 / Math.max(1, out)) };

/** Fewer lines of a depthwise convolution than these are not cut, where there are channels enough. */
const LINES = 28;
/** By lines, where each slice packs all weights anew; or by channels, where each packs all of its part of x anew. */
const byLines = ({
  lines,
  columns,
  batch,
  groups,
  out,
}: Channels & Readonly<Record<'lines' | 'columns' | 'batch', number>>) => {
  const few = groups === 1 ? lines * columns < out : lines < LINES;
  if (few && groups * out >= 32) return byChannels({ groups, out });
  // Whole images, where there are enough of them: like what comes before and behind.
  const grain = batch >= 16 ? lines / batch : Math.ceil(64 / Math.max(1, columns * groups * out));
  return { along: 'lines' as const, grain };
};

/** The names of ConvAlgorithm in assembly/conv/select.ts. */
const algorithms = [
  'igemm',
  'winograd',
  'depthwise',
  'depthwise 3x3',
  'depthwise stride 2',
  'pointwise',
  'direct',
  'direct by rows',
  'winograd by rows',
] as const;
const select = (direction: number, layout: number) =>
  algorithm('conv_select_f32', [direction, layout, 'dims'], algorithms);

const x = () => input('f32', ['batch', 'inImage'], 'groups', 'in', 'inPlane');
const y = () => input('f32', ['batch', 'outImage'], 'groups', 'out', 'outPlane');
const w = () => input('f32', 'groups', 'out', 'in', 'taps');
const xLast = () => input('f32', ['batch', 'inImage'], 'inPlane', 'groups', 'in');
const yLast = () => input('f32', ['batch', 'outImage'], 'outPlane', 'groups', 'out');
const wLast = () => input('f32', 'taps', 'in', 'groups', 'out');
const bias = (channels: 'in' | 'out') => maybe(input('f32', 'groups', channels));
/** The same range of memory, written. */
const written = <T extends ReturnType<typeof input>>(spec: T): T => ({ ...spec, reads: false, writes: true });

export const convKernels = optional(() => ({
  conv_forward_f32: kernel(
    {
      y: written(y()),
      x: x(),
      w: w(),
      bias: bias('out'),
      act: activations,
      algorithm: select(0, 0),
      workspace,
      dims: geometry,
    },
    byImage,
  ),
  conv_backward_input_f32: kernel(
    { dx: written(x()), g: y(), w: w(), bias: bias('in'), algorithm: select(1, 0), workspace, dims: geometry },
    byImage,
  ),
  conv_backward_weight_f32: kernel(
    { dw: written(w()), g: y(), x: x(), algorithm: select(2, 0), workspace, dims: geometry },
    {
      // Each slice packs all of x anew, or transforms it.
      cut: ({ groups }) => (groups === 1 ? { along: 'out', grain: 8 } : { along: 'groups', grain: 1 }),
      cost,
    },
  ),
  conv_nhwc_forward_f32: kernel(
    {
      y: written(input('f32', ['lines', 'line'], 'columns', 'groups', 'out')),
      x: xLast(),
      w: wLast(),
      bias: bias('out'),
      first: moving('lines'),
      lines: size,
      act: activations,
      algorithm: select(0, 1),
      workspace,
      dims: geometry,
    },
    {
      cut: byLines,
      cost,
      // So many lines as the smallest of the geometries has.
      trials: [
        { first: 0, lines: 9, act: 1 },
        { first: 2, lines: 7, act: 0 },
        { first: 1, lines: 2, act: 1 },
      ],
    },
  ),
  conv_nhwc_backward_input_f32: kernel(
    {
      dx: written(xLast()),
      g: yLast(),
      w: wLast(),
      bias: bias('in'),
      algorithm: select(1, 1),
      workspace,
      dims: geometry,
    },
    byImage,
  ),
  conv_nhwc_backward_weight_f32: kernel(
    {
      dw: written(wLast()),
      g: yLast(),
      x: xLast(),
      first: moving('taps'),
      taps: size,
      algorithm: select(2, 1),
      workspace,
      dims: geometry,
    },
    {
      // A few results of one channel are worked out together, tap by tap.
      cut: (sizes) =>
        sizes.in === 1 && sizes.groups * sizes.out < 32 ? { along: 'taps' as const, grain: 1 } : byChannels(sizes),
      cost,
      // As many taps as the geometries have.
      trials: [{ first: 0, taps: 9 }],
    },
  ),
}));
