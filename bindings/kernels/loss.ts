// Losses before reduction.

import { optional } from '../lookup.ts';
import { elements, f32, i32, indices, input, kernel, maybe, output, probe, rowGrain, size } from './descriptor.ts';

const byRow = {
  cut: ({ classes }: { readonly classes: number }) => ({ along: 'rows' as const, grain: rowGrain(classes) }),
  cost: ({ rows, classes }: { readonly rows: number; readonly classes: number }): number => rows * classes * 3,
};
const bySample = {
  cut: ({ inner }: { readonly inner: number }) => ({ along: 'n' as const, grain: rowGrain(inner) }),
  cost: ({ n, inner }: { readonly n: number; readonly inner: number }): number => n * inner,
};
/** Rows of `inner` elements, which posWeight stretches along. */
const byWeightedRow = {
  cut: ({ inner }: { readonly inner: number }) => ({
    along: 'n' as const,
    grain: rowGrain(inner) * Math.max(1, inner),
  }),
  cost: ({ n }: { readonly n: number }): number => n * 4,
  // n is whole rows.
  trials: [
    { n: 5180, inner: 7 },
    { n: 5200, inner: 1300 },
    { n: 0, inner: 3 },
  ],
};
const pointwise = (cost = 1) =>
  kernel({ y: output('f32', 'n'), x: input('f32', 'n'), target: input('f32', 'n'), n: size }, elements('n', cost));
const pointwiseBackward = (cost = 1) =>
  kernel(
    { dx: output('f32', 'n'), g: input('f32', 'n'), x: input('f32', 'n'), target: input('f32', 'n'), n: size },
    elements('n', cost),
  );
const bounded = () =>
  kernel(
    { y: output('f32', 'n'), x: input('f32', 'n'), target: input('f32', 'n'), n: size, bound: f32 },
    elements('n', 1),
  );
const boundedBackward = () =>
  kernel(
    {
      dx: output('f32', 'n'),
      g: input('f32', 'n'),
      x: input('f32', 'n'),
      target: input('f32', 'n'),
      n: size,
      bound: f32,
    },
    elements('n', 1),
  );

export const crossEntropyKernels = optional(() => ({
  cross_entropy_forward_f32: kernel(
    {
      losses: output('f32', 'rows'),
      lse: output('f32', 'rows'),
      x: input('f32', 'rows', 'classes'),
      target: indices('classes', 'rows'),
      weight: maybe(input('f32', 'classes')),
      rows: size,
      classes: size,
      ignoreIndex: i32,
      labelSmoothing: f32,
    },
    byRow,
  ),
  cross_entropy_backward_f32: kernel(
    {
      dx: output('f32', 'rows', 'classes'),
      g: input('f32', 'rows'),
      x: input('f32', 'rows', 'classes'),
      lse: input('f32', 'rows'),
      target: indices('classes', 'rows'),
      weight: maybe(input('f32', 'classes')),
      rows: size,
      classes: size,
      ignoreIndex: i32,
      labelSmoothing: f32,
    },
    byRow,
  ),
}));

export const nllKernels = optional(() => ({
  nll_forward_f32: kernel(
    {
      losses: output('f32', 'n', 'inner'),
      logp: input('f32', 'n', 'classes', 'inner'),
      target: indices('classes', 'n', 'inner'),
      weight: maybe(input('f32', 'classes')),
      n: size,
      classes: size,
      inner: size,
      ignoreIndex: i32,
    },
    bySample,
  ),
  nll_backward_f32: kernel(
    {
      dlogp: output('f32', 'n', 'classes', 'inner'),
      g: input('f32', 'n', 'inner'),
      target: indices('classes', 'n', 'inner'),
      weight: maybe(input('f32', 'classes')),
      n: size,
      classes: size,
      inner: size,
      ignoreIndex: i32,
    },
    bySample,
  ),
}));

export const classWeightKernels = optional(() => ({
  class_weights_f32: kernel(
    {
      y: output('f32', 'n'),
      target: indices('classes', 'n'),
      weight: maybe(input('f32', 'classes')),
      n: size,
      classes: size,
      ignoreIndex: i32,
    },
    elements('n', 1),
  ),
}));

export const pointwiseLossKernels = optional(() => ({
  bce_with_logits_forward_f32: kernel(
    {
      y: output('f32', 'n'),
      x: input('f32', 'n'),
      target: input('f32', 'n'),
      posWeight: maybe(input('f32', 'inner')),
      n: size,
      inner: size,
    },
    byWeightedRow,
  ),
  bce_with_logits_backward_f32: kernel(
    {
      dx: output('f32', 'n'),
      g: input('f32', 'n'),
      x: input('f32', 'n'),
      target: input('f32', 'n'),
      posWeight: maybe(input('f32', 'inner')),
      n: size,
      inner: size,
    },
    byWeightedRow,
  ),
  bce_forward_f32: pointwise(4),
  bce_backward_f32: pointwiseBackward(2),
  smooth_l1_forward_f32: bounded(),
  smooth_l1_backward_f32: boundedBackward(),
  huber_forward_f32: bounded(),
  huber_backward_f32: boundedBackward(),
}));

interface Frames {
  readonly n: number;
  readonly time: number;
  readonly classes: number;
  readonly width: number;
}
/** What the kernels of CTC share; the frames of a sample lie `step` elements apart. */
const ctcOf = () => ({
  logp: input('f32', ['time', 'step'], 'n', 'classes'),
  targets: indices('classes', 'n', 'labels'),
  frames: indices('time', 'n'),
  lengths: indices('labels', 'n'),
  n: size,
  time: size,
  classes: size,
  labels: size,
  width: size,
  step: size,
  blank: i32,
});
const bySequence = {
  cut: () => ({ along: 'n' as const, grain: 1 }),
  cost: ({ n, time, classes, width }: Frames): number => n * time * (classes + width * 8),
  trials: [
    { n: 7, time: 20, classes: 11, labels: 6, width: 13, step: 77, blank: 0 },
    { n: 0, time: 5, classes: 3, labels: 2, width: 5, step: 0, blank: 1 },
  ],
};

export const ctcKernels = optional(() => ({
  ctc_forward_f32: kernel(
    { losses: output('f32', 'n'), alpha: output('f32', 'n', 'time', 'width'), ...ctcOf() },
    bySequence,
  ),
  ctc_backward_f32: kernel(
    {
      dlogp: output('f32', ['time', 'step'], 'n', 'classes'),
      beta: output('f32', 'n', 2, 'width'),
      g: input('f32', 'n'),
      alpha: input('f32', 'n', 'time', 'width'),
      ...ctcOf(),
    },
    bySequence,
  ),
}));

export const ctcProbes = optional(() => ({
  /** The first sample of wrong lengths or labels, or −1. */
  check_ctc_i32: probe({
    targets: input('i32', 'n', 'labels'),
    frames: input('i32', 'n'),
    lengths: input('i32', 'n'),
    n: size,
    time: size,
    classes: size,
    labels: size,
  }),
}));

export const checkProbes = {
  /** The first of n targets that is no class and is not ignored, or −1. */
  check_targets_i32: probe({ target: input('i32', 'n'), n: size, classes: size, ignoreIndex: i32 }),
  /** The first of n numbers that is not within low … high, such as NaN, or −1. */
  check_range_f32: probe({ x: input('f32', 'n'), n: size, low: f32, high: f32 }),
  /** The first of n indices outside 0 … bound − 1, or −1. */
  check_index_i32: probe({ index: input('i32', 'n'), n: size, bound: size }),
};
