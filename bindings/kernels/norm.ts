// Normalisation: of rows (layer norm), of channels over the batch (batch norm), and of groups of channels of a sample.

import { optional } from '../lookup.ts';
import {
  code,
  elements,
  f32,
  inout,
  input,
  kernel,
  maybe,
  moving,
  output,
  rowGrain,
  size,
  workspace,
} from './descriptor.ts';
import { activations } from './gemm.ts';

// Rows of `width` elements.
const rowSizes = { rows: size, width: size };
const byRow = {
  cut: ({ width }: { readonly width: number }) => ({ along: 'rows' as const, grain: rowGrain(width) }),
  cost: ({ rows, width }: { readonly rows: number; readonly width: number }): number => rows * width,
};
/** Whether the mean is taken from the rows first. */
const centered = code('no', 'yes');
const rows = () => input('f32', 'rows', 'width');
const row = () => input('f32', 'rows');

// x [n, c, s], whose samples lie `stride` apart.
const channelSizes = { n: size, c: size, s: size, stride: size };
type Channels = { readonly n: number; readonly c: number; readonly s: number };
const byChannel = {
  cut: ({ s }: Channels) => ({ along: 'c' as const, grain: s < 16 ? 16 : 1 }),
  cost: ({ n, c, s }: Channels): number => n * c * s * 0.4,
};
/** Where channels wait for nothing by samples, which lie together; those of a small batch by channels. */
const bySample = {
  cut: ({ n, c, s }: Channels) =>
    s === 1 || n >= 16 ? { along: 'n' as const, grain: rowGrain(c * s) } : byChannel.cut({ n, c, s }),
  cost: ({ n, c, s }: Channels): number => n * c * s * 0.2,
};
const image = () => input('f32', ['n', 'stride'], 'c', 's');
const channel = () => input('f32', 'c');

// x [n, groups, c, s].
const groupSizes = { n: size, groups: size, c: size, s: size };
type Groups = { readonly n: number; readonly groups: number; readonly c: number; readonly s: number };
const groupCost = ({ n, groups, c, s }: Groups): number => n * groups * c * s;
const byItem = { cut: () => ({ along: 'n' as const, grain: 1 }), cost: groupCost };
const grouped = () => input('f32', 'n', 'groups', 'c', 's');
const statistic = () => input('f32', 'n', 'groups');
const affine = () => maybe(input('f32', 'groups', 'c'));

export const layerNormKernels = optional(() => ({
  layer_norm_forward_f32: kernel(
    {
      y: output('f32', 'rows', 'width'),
      mean: output('f32', 'rows'),
      rstd: output('f32', 'rows'),
      x: rows(),
      weight: maybe(input('f32', 'width')),
      bias: maybe(input('f32', 'width')),
      ...rowSizes,
      eps: f32,
      centered,
    },
    byRow,
  ),
  layer_norm_backward_f32: kernel(
    {
      dx: output('f32', 'rows', 'width'),
      g: rows(),
      x: rows(),
      mean: row(),
      rstd: row(),
      weight: maybe(input('f32', 'width')),
      ...rowSizes,
      centered,
    },
    byRow,
  ),
  layer_norm_backward_params_f32: kernel(
    {
      dweight: output('f32', 'width'),
      dbias: output('f32', 'width'),
      g: input('f32', ['rows', 'stride'], 'width'),
      x: input('f32', ['rows', 'stride'], 'width'),
      mean: row(),
      rstd: row(),
      ...rowSizes,
      stride: size,
      workspace,
    },
    { cut: () => ({ along: 'width', grain: 16 }), cost: byRow.cost },
  ),
}));

export const batchNormKernels = optional(() => ({
  batch_norm_stats_f32: kernel(
    { mean: output('f32', 'c'), variance: output('f32', 'c'), x: image(), ...channelSizes, workspace },
    byChannel,
  ),
  batch_norm_update_f32: kernel(
    {
      runningMean: inout('f32', 'c'),
      runningVariance: inout('f32', 'c'),
      mean: channel(),
      variance: channel(),
      c: size,
      momentum: f32,
      correction: f32,
    },
    elements('c'),
  ),
  rstd_f32: kernel({ rstd: output('f32', 'n'), variance: input('f32', 'n'), n: size, eps: f32 }, elements('n', 1)),
  batch_norm_forward_f32: kernel(
    {
      y: output('f32', ['n', 'stride'], 'c', 's'),
      x: image(),
      mean: channel(),
      rstd: channel(),
      weight: maybe(channel()),
      bias: maybe(channel()),
      ...channelSizes,
      act: activations,
    },
    bySample,
  ),
  batch_norm_backward_params_f32: kernel(
    {
      dweight: output('f32', 'c'),
      dbias: output('f32', 'c'),
      g: image(),
      x: image(),
      mean: channel(),
      rstd: channel(),
      ...channelSizes,
      workspace,
    },
    byChannel,
  ),
  batch_norm_backward_f32: kernel(
    {
      dx: output('f32', ['n', 'stride'], 'c', 's'),
      g: image(),
      x: image(),
      mean: channel(),
      rstd: channel(),
      weight: maybe(channel()),
      dweight: channel(),
      dbias: channel(),
      ...channelSizes,
      count: size,
    },
    bySample,
  ),
  batch_norm_backward_eval_f32: kernel(
    {
      dx: output('f32', ['n', 'stride'], 'c', 's'),
      g: image(),
      rstd: channel(),
      weight: maybe(channel()),
      ...channelSizes,
    },
    bySample,
  ),
}));

export const groupNormKernels = optional(() => ({
  group_norm_forward_f32: kernel(
    {
      y: output('f32', 'n', 'groups', 'c', 's'),
      mean: output('f32', 'n', 'groups'),
      rstd: output('f32', 'n', 'groups'),
      x: grouped(),
      weight: affine(),
      bias: affine(),
      ...groupSizes,
      eps: f32,
    },
    byItem,
  ),
  group_norm_backward_f32: kernel(
    {
      dx: output('f32', 'n', 'groups', 'c', 's'),
      g: grouped(),
      x: grouped(),
      mean: statistic(),
      rstd: statistic(),
      weight: affine(),
      ...groupSizes,
    },
    byItem,
  ),
  group_norm_backward_params_f32: kernel(
    {
      // Those of the whole, whichever channels a call takes.
      dweight: output('f32', 'groups', 'c'),
      dbias: output('f32', 'groups', 'c'),
      g: grouped(),
      x: grouped(),
      mean: statistic(),
      rstd: statistic(),
      ...groupSizes,
      first: moving('channels'),
      channels: size,
      workspace,
    },
    {
      cut: () => ({ along: 'channels', grain: 16 }),
      cost: groupCost,
      // As many channels as there are, from the first on.
      trials: [
        { n: 5, groups: 3, c: 35, s: 7, first: 0, channels: 105 },
        { n: 3, groups: 1, c: 200, s: 1, first: 0, channels: 200 },
        { n: 2, groups: 50, c: 1, s: 33, first: 0, channels: 50 },
      ],
    },
  ),
}));
