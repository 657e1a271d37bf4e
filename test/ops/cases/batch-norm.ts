// Cases of batch normalisation, and of what its backward pass is made of.
import type { NormOps } from '../../../bindings/ops/norm.ts';
import { build, type Nd, nd, toTensor } from '../../support/tensors.ts';
import {
  ALL_THROW,
  backwardErrors,
  byChannel,
  EPS,
  normalized,
  some,
  spread,
  statistics,
  TOLERANCE,
  toInput,
  toParameters,
  v2,
  v3,
  x23,
} from './norm-reference.ts';
import { type Cases, dtypeError, f32, from, i32, type Sample, type Spec, shapeError } from './types.ts';

export type BatchNormOps = Pick<NormOps, Extract<keyof NormOps, `batchNorm${string}`>>;

const batches: readonly (readonly number[])[] = [
  [5, 3],
  [4, 1],
  [3, 2, 4],
  [2, 2, 2, 3],
  [1, 3, 4],
  [3, 0, 2],
  [37, 5],
  [4, 3, 17],
];
const channelStatistics = (shape: readonly number[], what: 'mean' | 'rstd'): Spec =>
  f32(
    [shape[1] as number],
    from((_, x) => nd([shape[1] as number], statistics(x as Nd, byChannel(shape))[what])),
  );
const channelParameters = (shape: readonly number[]): Spec =>
  f32(
    [2, shape[1] as number],
    from((g, x) => toParameters(g as Nd, x as Nd, byChannel(shape), shape[1] as number)),
  );
const affine = (n: number): [Spec, Spec] => [f32([n], some), f32([n])];

type BatchAttrs = { running: null; training: boolean; momentum: number; eps: number };
const batchAttrs: BatchAttrs = { running: null, training: true, momentum: 0.1, eps: EPS };
/** Statistics that were learned before; made anew for each call, since training moves them. */
const running = (c: number) => ({
  mean: toTensor(build([c], ([i]) => (i as number) / 4 - 0.5)),
  variance: toTensor(build([c], ([i]) => 0.5 + (i as number) / 2)),
});
const batchSamples: Sample<'batchNorm'>[] = batches.flatMap((shape) => {
  const c = shape[1] as number;
  return [
    { inputs: [f32(shape, spread), ...affine(c)], attrs: batchAttrs },
    { inputs: [f32(shape, spread), null, null], attrs: batchAttrs },
    { inputs: [f32(shape, spread), ...affine(c)], attrs: () => ({ ...batchAttrs, running: running(c) }) },
    {
      inputs: [f32(shape, spread), ...affine(c)],
      attrs: () => ({ ...batchAttrs, running: running(c), training: false }),
    },
    {
      inputs: [f32(shape, spread), f32([c], some), null],
      attrs: () => ({ ...batchAttrs, running: running(c), training: false }),
    },
  ] satisfies Sample<'batchNorm'>[];
});
/** An evaluation may have no rows and a single one. */
const evaluations: Sample<'batchNorm'>[] = [
  [0, 3],
  [1, 3],
].map((shape) => ({
  inputs: [f32(shape), ...affine(3)],
  attrs: () => ({ ...batchAttrs, running: running(3), training: false }),
}));

export const batchNormCases: Cases<BatchNormOps> = {
  batchNorm: {
    samples: [...batchSamples, ...evaluations],
    reference: ([x, weight, bias], { running: known, training }) => {
      const groups = byChannel(x.shape);
      const given =
        known && !training
          ? { mean: Array.from(known.mean.data), rstd: Array.from(known.variance.data, (v) => 1 / Math.sqrt(v + EPS)) }
          : statistics(x, groups);
      return normalized(x, groups, given, weight, bias);
    },
    tolerance: TOLERANCE,
    gradients: 'all',
    gradientTolerance: 5e-5,
    second: 'throws',
    errors: [
      shapeError([v3, null, null], batchAttrs, /^batchNorm: expected input \[n, channels, \.\.\.\], got \[3\]/),
      shapeError(
        [f32([1, 3]), null, null],
        batchAttrs,
        /^batchNorm: expected more than 1 value per channel when training, got input \[1, 3\]/,
      ),
      shapeError([x23, v2, null], batchAttrs, /^batchNorm: expected weight of shape \[3\], got \[2\]/),
      shapeError([x23, null, v2], batchAttrs, /^batchNorm: expected bias of shape \[3\], got \[2\]/),
      dtypeError([i32([2, 3]), null, null], batchAttrs, /^batchNorm: expected dtype f32, got i32/),
      dtypeError([x23, null, i32([3])], batchAttrs, /^batchNorm: expected dtype f32, got i32/),
      shapeError(
        [x23, null, null],
        () => ({ ...batchAttrs, running: running(2) }),
        /^batchNorm: expected the running mean of shape \[3\], got \[2\]/,
      ),
    ],
  },
  batchNormBackwardParams: {
    samples: batches.map((shape) => ({
      inputs: [f32(shape), f32(shape, spread), channelStatistics(shape, 'mean'), channelStatistics(shape, 'rstd')],
    })),
    reference: ([g, x]) => toParameters(g, x, byChannel(x.shape), x.shape[1] as number),
    tolerance: { relative: 1e-5, absolute: 2e-5 },
    gradients: ALL_THROW,
    errors: backwardErrors('batchNormBackwardParams', [v3, v3], 3),
  },
  batchNormBackward: {
    samples: batches.flatMap((shape): Sample<'batchNormBackward'>[] =>
      [f32([shape[1] as number], some), null].map((weight) => ({
        inputs: [
          f32(shape),
          f32(shape, spread),
          channelStatistics(shape, 'mean'),
          channelStatistics(shape, 'rstd'),
          weight,
          channelParameters(shape),
        ],
      })),
    ),
    reference: ([g, x, , , weight]) => toInput(g, x, byChannel(x.shape), weight),
    tolerance: { relative: 1e-5, absolute: 1e-5 },
    gradients: [...ALL_THROW, 'throws', 'throws'],
    errors: [
      ...backwardErrors('batchNormBackward', [v3, v3, null, f32([2, 3])], 3),
      shapeError(
        [x23, x23, v3, v3, null, v3],
        undefined,
        /^batchNormBackward: expected the parameters' gradients of shape \[2, 3\], got \[3\]/,
      ),
    ],
  },
  batchNormBackwardEval: {
    samples: [...batches, [0, 3]].flatMap((shape): Sample<'batchNormBackwardEval'>[] =>
      [f32([shape[1] as number], some), null].map((weight) => ({
        inputs: [f32(shape), f32([shape[1] as number], some), weight],
      })),
    ),
    reference: ([g, rstd, weight]) => {
      const { positions } = byChannel(g.shape);
      const dx = nd(g.shape, g.data);
      positions.forEach((group, c) => {
        for (const p of group)
          dx.data[p] = (g.data[p] as number) * (rstd.data[c] as number) * (weight ? (weight.data[c] as number) : 1);
      });
      return dx;
    },
    tolerance: { relative: 3e-7 },
    gradients: [true, 'throws', 'throws'],
    errors: [
      shapeError(
        [v3, v3, null],
        undefined,
        /^batchNormBackwardEval: expected input \[n, channels, \.\.\.\], got \[3\]/,
      ),
      shapeError([x23, v2, null], undefined, /^batchNormBackwardEval: expected 1\/σ of shape \[3\], got \[2\]/),
      shapeError([x23, v3, v2], undefined, /^batchNormBackwardEval: expected weight of shape \[3\], got \[2\]/),
      dtypeError([i32([2, 3]), v3, null], undefined, /^batchNormBackwardEval: expected dtype f32, got i32/),
    ],
  },
};
