// Cases of batch normalisation, and of what its backward pass is made of.

import { type Nd, nd } from '../../../reference/nd.ts';
import { byChannel, EPS, normalized, statistics, toInput, toParameters } from '../../../reference/norm.ts';
import { backwardErrors, parameters, some, spread, TOLERANCE, v2, v3, x23 } from './norm-inputs.ts';
import { type Cases, dtypeError, f32, from, i32, type Sample, type Spec, shapeError, uniform } from './types.ts';

const batches: readonly (readonly number[])[] = [
  [5, 3],
  [4, 1],
  [3, 2, 4],
  [2, 2, 2, 3],
  [1, 3, 4],
  [3, 0, 2],
  [37, 5],
  [4, 3, 17],
  [2, 4, 7],
];
const channelStatistics = (shape: readonly number[], what: 'mean' | 'rstd'): Spec =>
  f32(
    [shape[1] as number],
    from(({ x }) => nd([shape[1] as number], statistics(x as Nd, byChannel(shape))[what])),
  );
/** The gradient of the weight or of the bias, as the op before gives it. */
const channelParameters = (shape: readonly number[], what: 'dweight' | 'dbias'): Spec => {
  const c = shape[1] as number;
  return f32(
    [c],
    from(({ g, x }) => parameters(toParameters(g as Nd, x as Nd, byChannel(shape), c))[what]),
  );
};

const training = { training: true, momentum: 0.1, eps: EPS };
const evaluation = { ...training, training: false };
const affine = (c: number) => ({ weight: f32([c], some), bias: f32([c]) });
const bare = { weight: null, bias: null };
/** Statistics that were learned before. */
const running = (c: number) => ({ runningMean: f32([c]), runningVariance: f32([c], uniform(0.5, 3)) });
const none = { runningMean: null, runningVariance: null };
const batchSamples: Sample<'batchNorm'>[] = batches.flatMap((shape): Sample<'batchNorm'>[] => {
  const c = shape[1] as number;
  const x = f32(shape, spread);
  return [
    { inputs: { x, ...affine(c), ...none }, attrs: training },
    { inputs: { x, ...bare, ...none }, attrs: training },
    { inputs: { x, ...bare, ...none }, attrs: evaluation },
    { inputs: { x, ...affine(c), ...running(c) }, attrs: training },
    { inputs: { x, ...affine(c), ...running(c) }, attrs: evaluation },
    { inputs: { x, weight: f32([c], some), bias: null, ...running(c) }, attrs: evaluation },
  ];
});
/** An evaluation may have no rows and a single one. */
const evaluations: Sample<'batchNorm'>[] = [
  [0, 3],
  [1, 3],
].map((shape) => ({ inputs: { x: f32(shape), ...affine(3), ...running(3) }, attrs: evaluation }));

/** (1 − momentum) · old + momentum · batch, whose variance is unbiased. */
function learned(
  x: Nd,
  old: { readonly mean: Nd; readonly variance: Nd },
  momentum: number,
): Record<'runningMean' | 'runningVariance', Nd> {
  const { positions } = byChannel(x.shape);
  const batch = statistics(x, byChannel(x.shape));
  const blend = (known: Nd, of: (c: number) => number): Nd =>
    nd(
      known.shape,
      known.data.map((v, c) => (1 - momentum) * v + momentum * of(c)),
    );
  return {
    runningMean: blend(old.mean, (c) => batch.mean[c] as number),
    runningVariance: blend(old.variance, (c) => {
      const n = positions[c]?.length as number;
      return ((1 / (batch.rstd[c] as number) ** 2 - EPS) * n) / (n - 1);
    }),
  };
}

export const batchNormCases = {
  batchNorm: {
    samples: [...batchSamples, ...evaluations],
    reference: ({ x, weight, bias, runningMean, runningVariance }, { training, momentum }) => {
      const groups = byChannel(x.shape);
      const known = runningMean && runningVariance ? { mean: runningMean, variance: runningVariance } : null;
      const given =
        known && !training
          ? { mean: Array.from(known.mean.data), rstd: Array.from(known.variance.data, (v) => 1 / Math.sqrt(v + EPS)) }
          : statistics(x, groups);
      const y = normalized(x, groups, given, weight, bias);
      if (!known || !training) return { y, runningMean, runningVariance };
      return { y, ...learned(x, known, momentum) };
    },
    tolerance: TOLERANCE,
    gradients: { x: true, weight: true, bias: true },
    gradientTolerance: 5e-5,
    errors: [
      shapeError(
        { x: v3, ...bare, ...none },
        training,
        /^batchNorm: expected input \[n, channels, \.\.\.\], got \[3\]/,
      ),
      shapeError(
        { x: f32([1, 3]), ...bare, ...none },
        training,
        /^batchNorm: expected more than 1 value per channel when training, got input \[1, 3\]/,
      ),
      shapeError(
        { x: x23, weight: v2, bias: null, ...none },
        training,
        /^batchNorm: expected weight of shape \[3\], got \[2\]/,
      ),
      shapeError(
        { x: x23, weight: null, bias: v2, ...none },
        training,
        /^batchNorm: expected bias of shape \[3\], got \[2\]/,
      ),
      dtypeError({ x: i32([2, 3]), ...bare, ...none }, training, /^batchNorm: expected dtype f32, got i32/),
      dtypeError(
        { x: x23, weight: null, bias: i32([3]), ...none },
        training,
        /^batchNorm: expected dtype f32, got i32/,
      ),
      shapeError(
        { x: x23, ...bare, ...running(2) },
        training,
        /^batchNorm: expected the running mean of shape \[3\], got \[2\]/,
      ),
      shapeError(
        { x: x23, ...bare, runningMean: v3, runningVariance: v2 },
        evaluation,
        /^batchNorm: expected the running variance of shape \[3\], got \[2\]/,
      ),
    ],
  },
  batchNormBackwardParams: {
    samples: batches.map((shape) => ({
      inputs: {
        g: f32(shape),
        x: f32(shape, spread),
        mean: channelStatistics(shape, 'mean'),
        rstd: channelStatistics(shape, 'rstd'),
      },
    })),
    reference: ({ g, x }) => parameters(toParameters(g, x, byChannel(x.shape), x.shape[1] as number)),
    tolerance: { relative: 1e-5, absolute: 2e-5 },
    gradients: 'none',
    errors: backwardErrors('batchNormBackwardParams', { mean: v3, rstd: v3 }, 3),
  },
  batchNormBackward: {
    samples: batches.flatMap((shape): Sample<'batchNormBackward'>[] =>
      [f32([shape[1] as number], some), null].map((weight) => ({
        inputs: {
          g: f32(shape),
          x: f32(shape, spread),
          mean: channelStatistics(shape, 'mean'),
          rstd: channelStatistics(shape, 'rstd'),
          weight,
          dweight: channelParameters(shape, 'dweight'),
          dbias: channelParameters(shape, 'dbias'),
        },
      })),
    ),
    reference: ({ g, x, weight }) => toInput(g, x, byChannel(x.shape), weight),
    tolerance: { relative: 1e-5, absolute: 1e-5 },
    gradients: 'none',
    errors: [
      ...backwardErrors('batchNormBackward', { mean: v3, rstd: v3, weight: null, dweight: v3, dbias: v3 }, 3),
      shapeError(
        { g: x23, x: x23, mean: v3, rstd: v3, weight: null, dweight: v2, dbias: v3 },
        undefined,
        /^batchNormBackward: expected the gradient of the weight of shape \[3\], got \[2\]/,
      ),
      shapeError(
        { g: x23, x: x23, mean: v3, rstd: v3, weight: null, dweight: v3, dbias: f32([2, 3]) },
        undefined,
        /^batchNormBackward: expected the gradient of the bias of shape \[3\], got \[2, 3\]/,
      ),
      shapeError(
        { g: x23, x: x23, mean: v3, rstd: v3, weight: v2, dweight: v3, dbias: v3 },
        undefined,
        /^batchNormBackward: expected weight of shape \[3\], got \[2\]/,
      ),
    ],
  },
  batchNormBackwardEval: {
    samples: [...batches, [0, 3]].flatMap((shape): Sample<'batchNormBackwardEval'>[] =>
      [f32([shape[1] as number], some), null].map((weight) => ({
        inputs: { g: f32(shape), rstd: f32([shape[1] as number], some), weight },
      })),
    ),
    reference: ({ g, rstd, weight }) => {
      const { positions } = byChannel(g.shape);
      const dx = nd(g.shape, g.data);
      positions.forEach((group, c) => {
        for (const p of group)
          dx.data[p] = (g.data[p] as number) * (rstd.data[c] as number) * (weight ? (weight.data[c] as number) : 1);
      });
      return dx;
    },
    tolerance: { relative: 3e-7 },
    gradients: 'none',
    errors: [
      shapeError(
        { g: v3, rstd: v3, weight: null },
        undefined,
        /^batchNormBackwardEval: expected input \[n, channels, \.\.\.\], got \[3\]/,
      ),
      shapeError(
        { g: x23, rstd: v2, weight: null },
        undefined,
        /^batchNormBackwardEval: expected 1\/σ of shape \[3\], got \[2\]/,
      ),
      shapeError(
        { g: x23, rstd: v3, weight: v2 },
        undefined,
        /^batchNormBackwardEval: expected weight of shape \[3\], got \[2\]/,
      ),
      dtypeError(
        { g: i32([2, 3]), rstd: v3, weight: null },
        undefined,
        /^batchNormBackwardEval: expected dtype f32, got i32/,
      ),
    ],
  },
} satisfies Cases;
