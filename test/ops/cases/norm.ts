// Cases of layer and batch normalisation, and of what their backward passes are made of.
import type { NormOps } from '../../../bindings/ops/norm.ts';
import { numelOf } from '../../../bindings/tensor.ts';
import { build, type Nd, nd, toTensor } from '../../support/tensors.ts';
import { argumentError, type Bad, type Cases, dtypeError, f32, from, i32, type Sample, shapeError, type Spec, uniform } from './types.ts';

const EPS = 1e-5;
const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
const variance = (values: readonly number[]): number => mean(values.map((v) => (v - mean(values)) ** 2));

/** Groups of positions that are normalised together: one a row, or one a channel. */
interface Groups {
  readonly positions: readonly (readonly number[])[];
  /** Which element of weight and bias a position takes. */
  parameter(position: number): number;
}
const byRow = (shape: readonly number[], cols: number): Groups => ({
  positions: Array.from({ length: cols === 0 ? 0 : numelOf(shape) / cols }, (_, r) => Array.from({ length: cols }, (__, c) => r * cols + c)),
  parameter: (position) => position % cols,
});
const byChannel = (shape: readonly number[]): Groups => {
  const c = shape[1] as number;
  const s = numelOf(shape.slice(2));
  const channel = (position: number): number => Math.floor(position / s) % c;
  const all = Array.from({ length: numelOf(shape) }, (_, i) => i);
  return { positions: Array.from({ length: c }, (_, k) => all.filter((i) => channel(i) === k)), parameter: channel };
};

const valuesAt = (x: Nd, positions: readonly number[]): number[] => positions.map((p) => x.data[p] as number);
const statistics = (x: Nd, { positions }: Groups): { mean: number[]; rstd: number[] } => ({
  mean: positions.map((group) => mean(valuesAt(x, group))),
  rstd: positions.map((group) => 1 / Math.sqrt(variance(valuesAt(x, group)) + EPS)),
});

/** weight · (x − mean) · rstd + bias, with given statistics of each group. */
function normalized(x: Nd, groups: Groups, given: { mean: readonly number[]; rstd: readonly number[] }, weight: Nd | null, bias: Nd | null): Nd {
  const y = nd(x.shape, x.data);
  groups.positions.forEach((group, i) => {
    for (const p of group) {
      const z = ((x.data[p] as number) - (given.mean[i] as number)) * (given.rstd[i] as number);
      y.data[p] = z * (weight ? (weight.data[groups.parameter(p)] as number) : 1) + (bias ? (bias.data[groups.parameter(p)] as number) : 0);
    }
  });
  return y;
}

/** Through the statistics as well: rstd (h − mean h − z mean(h z)) with h = g · weight, z = (x − mean) rstd. */
function toInput(g: Nd, x: Nd, groups: Groups, weight: Nd | null): Nd {
  const own = statistics(x, groups);
  const dx = nd(x.shape, x.data);
  groups.positions.forEach((group, i) => {
    const z = group.map((p) => ((x.data[p] as number) - (own.mean[i] as number)) * (own.rstd[i] as number));
    const h = group.map((p) => (g.data[p] as number) * (weight ? (weight.data[groups.parameter(p)] as number) : 1));
    const [a, b] = [mean(h), mean(h.map((v, j) => v * (z[j] as number)))];
    group.forEach((p, j) => {
      dx.data[p] = (own.rstd[i] as number) * ((h[j] as number) - a - (z[j] as number) * b);
    });
  });
  return dx;
}

/** [2, n]: Σ g z and Σ g by parameter. */
function toParameters(g: Nd, x: Nd, groups: Groups, n: number): Nd {
  const own = statistics(x, groups);
  const sums = new Float64Array(2 * n);
  groups.positions.forEach((group, i) => {
    for (const p of group) {
      const at = groups.parameter(p);
      const z = ((x.data[p] as number) - (own.mean[i] as number)) * (own.rstd[i] as number);
      sums[at] = (sums[at] as number) + (g.data[p] as number) * z;
      sums[n + at] = (sums[n + at] as number) + (g.data[p] as number);
    }
  });
  return nd([2, n], sums);
}

// Layer norm: x and the dims that are normalised.
const layers: readonly (readonly [shape: readonly number[], normalizedShape: readonly number[]])[] = [
  [[4, 5], [5]],
  [[2, 3, 4], [4]],
  [[2, 3, 4], [3, 4]],
  [[3], [3]],
  [[2, 1], [1]],
  [[0, 4], [4]],
  [[3, 37], [37]],
  [[37, 7], [7]],
];
const rowsOf = (shape: readonly number[], normalizedShape: readonly number[]): Groups => byRow(shape, numelOf(normalizedShape));
const spread = uniform(-3, 5);
const some = uniform(0.3, 2);
const TOLERANCE = { relative: 5e-6, absolute: 5e-6 };

const layerStatistics = (shape: readonly number[], normalizedShape: readonly number[], what: 'mean' | 'rstd'): Spec => {
  const lead = shape.slice(0, shape.length - normalizedShape.length);
  return f32(lead, from((_, x) => nd(lead, statistics(x as Nd, rowsOf(shape, normalizedShape))[what])));
};
/** The dims behind those of mean. */
const behind = (x: Nd, mean: Nd): number[] => x.shape.slice(mean.shape.length);

// Batch norm.
const batches: readonly (readonly number[])[] = [[5, 3], [4, 1], [3, 2, 4], [2, 2, 2, 3], [1, 3, 4], [3, 0, 2], [37, 5], [4, 3, 17]];
const channelStatistics = (shape: readonly number[], what: 'mean' | 'rstd'): Spec =>
  f32([shape[1] as number], from((_, x) => nd([shape[1] as number], statistics(x as Nd, byChannel(shape))[what])));
const channelParameters = (shape: readonly number[]): Spec =>
  f32([2, shape[1] as number], from((g, x) => toParameters(g as Nd, x as Nd, byChannel(shape), shape[1] as number)));
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
    { inputs: [f32(shape, spread), ...affine(c)], attrs: () => ({ ...batchAttrs, running: running(c), training: false }) },
    { inputs: [f32(shape, spread), f32([c], some), null], attrs: () => ({ ...batchAttrs, running: running(c), training: false }) },
  ] satisfies Sample<'batchNorm'>[];
});
/** An evaluation may have no rows and a single one. */
const evaluations: Sample<'batchNorm'>[] = [[0, 3], [1, 3]].map((shape) => ({
  inputs: [f32(shape), ...affine(3)],
  attrs: () => ({ ...batchAttrs, running: running(3), training: false }),
}));

const x23 = f32([2, 3]);
const v2 = f32([2]);
const v3 = f32([3]);

/** The checks that all backward ops share: a gradient of another shape, a dtype, statistics of another shape. */
const backwardErrors = (op: string, rest: readonly (Spec | null)[], statistic: number): [Bad, Bad, Bad, Bad] => [
  shapeError([f32([3, 2]), x23, ...rest], undefined, new RegExp(`^${op}: expected the gradient of shape \\[2, 3\\], got \\[3, 2\\]`)),
  dtypeError([i32([2, 3]), x23, ...rest], undefined, new RegExp(`^${op}: expected dtype f32, got i32`)),
  shapeError([x23, x23, rest[0] as Spec, f32([7]), ...rest.slice(2)], undefined, new RegExp(`^${op}: expected 1/σ of shape \\[${statistic}\\], got \\[7\\]`)),
  argumentError([x23, { raw: true }, ...rest], undefined, new RegExp(`^${op}: expected a tensor as argument 2, got boolean`)),
];
const ALL_THROW = ['throws', 'throws', 'throws', 'throws'] as const;

export const normCases: Cases<NormOps> = {
  layerNorm: {
    samples: layers.flatMap(([shape, normalizedShape]): Sample<'layerNorm'>[] => [
      { inputs: [f32(shape, spread), f32(normalizedShape, some), f32(normalizedShape)], attrs: { normalizedShape, eps: EPS } },
      { inputs: [f32(shape, spread), null, null], attrs: { normalizedShape, eps: EPS } },
      { inputs: [f32(shape, spread), f32(normalizedShape, some), null], attrs: { normalizedShape, eps: EPS } },
      { inputs: [f32(shape, spread), null, f32(normalizedShape)], attrs: { normalizedShape, eps: EPS } },
    ]),
    reference: ([x, weight, bias], { normalizedShape }) => {
      const groups = rowsOf(x.shape, normalizedShape);
      return normalized(x, groups, statistics(x, groups), weight, bias);
    },
    tolerance: TOLERANCE,
    gradients: 'all',
    gradientTolerance: 5e-5,
    second: 'throws',
    errors: [
      shapeError([x23, null, null], { normalizedShape: [2], eps: EPS }, /^layerNorm: expected the last dims to be \[2\], got \[2, 3\]/),
      shapeError([x23, null, null], { normalizedShape: [], eps: EPS }, /^layerNorm: expected the last dims to be \[\]/),
      shapeError([x23, v2, null], { normalizedShape: [3], eps: EPS }, /^layerNorm: expected weight of shape \[3\], got \[2\]/),
      shapeError([x23, null, v2], { normalizedShape: [3], eps: EPS }, /^layerNorm: expected bias of shape \[3\], got \[2\]/),
      dtypeError([x23, i32([3]), null], { normalizedShape: [3], eps: EPS }, /^layerNorm: expected dtype f32, got i32/),
      dtypeError([i32([2, 3]), null, null], { normalizedShape: [3], eps: EPS }, /^layerNorm: expected dtype f32, got i32/),
    ],
  },
  layerNormBackward: {
    samples: layers.flatMap(([shape, n]): Sample<'layerNormBackward'>[] =>
      [f32(n, some), null].map((weight) => ({
        inputs: [f32(shape), f32(shape, spread), layerStatistics(shape, n, 'mean'), layerStatistics(shape, n, 'rstd'), weight],
      })),
    ),
    reference: ([g, x, m, , weight]) => toInput(g, x, rowsOf(x.shape, behind(x, m)), weight),
    tolerance: { relative: 1e-5, absolute: 1e-5 },
    gradients: [...ALL_THROW, 'throws'],
    errors: [
      ...backwardErrors('layerNormBackward', [v2, v2, null], 2),
      shapeError([x23, x23, v2, v2, v2], undefined, /^layerNormBackward: expected weight of shape \[3\], got \[2\]/),
    ],
  },
  layerNormBackwardParams: {
    samples: layers.map(([shape, n]) => ({ inputs: [f32(shape), f32(shape, spread), layerStatistics(shape, n, 'mean'), layerStatistics(shape, n, 'rstd')] })),
    reference: ([g, x, m]) => {
      const n = behind(x, m);
      return toParameters(g, x, rowsOf(x.shape, n), numelOf(n));
    },
    tolerance: { relative: 1e-5, absolute: 2e-5 },
    gradients: ALL_THROW,
    errors: backwardErrors('layerNormBackwardParams', [v2, v2], 2),
  },
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
      shapeError([f32([1, 3]), null, null], batchAttrs, /^batchNorm: expected more than 1 value per channel when training, got input \[1, 3\]/),
      shapeError([x23, v2, null], batchAttrs, /^batchNorm: expected weight of shape \[3\], got \[2\]/),
      shapeError([x23, null, v2], batchAttrs, /^batchNorm: expected bias of shape \[3\], got \[2\]/),
      dtypeError([i32([2, 3]), null, null], batchAttrs, /^batchNorm: expected dtype f32, got i32/),
      dtypeError([x23, null, i32([3])], batchAttrs, /^batchNorm: expected dtype f32, got i32/),
      shapeError([x23, null, null], () => ({ ...batchAttrs, running: running(2) }), /^batchNorm: expected the running mean of shape \[3\], got \[2\]/),
    ],
  },
  batchNormBackwardParams: {
    samples: batches.map((shape) => ({ inputs: [f32(shape), f32(shape, spread), channelStatistics(shape, 'mean'), channelStatistics(shape, 'rstd')] })),
    reference: ([g, x]) => toParameters(g, x, byChannel(x.shape), x.shape[1] as number),
    tolerance: { relative: 1e-5, absolute: 2e-5 },
    gradients: ALL_THROW,
    errors: backwardErrors('batchNormBackwardParams', [v3, v3], 3),
  },
  batchNormBackward: {
    samples: batches.flatMap((shape): Sample<'batchNormBackward'>[] =>
      [f32([shape[1] as number], some), null].map((weight) => ({
        inputs: [f32(shape), f32(shape, spread), channelStatistics(shape, 'mean'), channelStatistics(shape, 'rstd'), weight, channelParameters(shape)],
      })),
    ),
    reference: ([g, x, , , weight]) => toInput(g, x, byChannel(x.shape), weight),
    tolerance: { relative: 1e-5, absolute: 1e-5 },
    gradients: [...ALL_THROW, 'throws', 'throws'],
    errors: [
      ...backwardErrors('batchNormBackward', [v3, v3, null, f32([2, 3])], 3),
      shapeError([x23, x23, v3, v3, null, v3], undefined, /^batchNormBackward: expected the parameters' gradients of shape \[2, 3\], got \[3\]/),
    ],
  },
  batchNormBackwardEval: {
    samples: [...batches, [0, 3]].flatMap((shape): Sample<'batchNormBackwardEval'>[] =>
      [f32([shape[1] as number], some), null].map((weight) => ({ inputs: [f32(shape), f32([shape[1] as number], some), weight] })),
    ),
    reference: ([g, rstd, weight]) => {
      const { positions } = byChannel(g.shape);
      const dx = nd(g.shape, g.data);
      positions.forEach((group, c) => {
        for (const p of group) dx.data[p] = (g.data[p] as number) * (rstd.data[c] as number) * (weight ? (weight.data[c] as number) : 1);
      });
      return dx;
    },
    tolerance: { relative: 3e-7 },
    gradients: [true, 'throws', 'throws'],
    errors: [
      shapeError([v3, v3, null], undefined, /^batchNormBackwardEval: expected input \[n, channels, \.\.\.\], got \[3\]/),
      shapeError([x23, v2, null], undefined, /^batchNormBackwardEval: expected 1\/σ of shape \[3\], got \[2\]/),
      shapeError([x23, v3, v2], undefined, /^batchNormBackwardEval: expected weight of shape \[3\], got \[2\]/),
      dtypeError([i32([2, 3]), v3, null], undefined, /^batchNormBackwardEval: expected dtype f32, got i32/),
    ],
  },
};
