// Cases of the reductions, and of the running sum.
import { ShapeError } from '../../../bindings/memory/errors.ts';
import type { ReduceAttrs } from '../../../bindings/ops/reduce.ts';
import { mapLanes, type Nd, reduceNd, restoreNd, zip } from '../../../reference/nd.ts';
import {
  axisErrors,
  type Bad,
  type Case,
  type Cases,
  distinct,
  dtypeError,
  type Fill,
  f32,
  freedError,
  from,
  i32,
  list,
  type Sample,
  shapeError,
  type Tolerance,
  u8,
  uniform,
} from './types.ts';

const over = (dim: number, end: number, keepdim = false): ReduceAttrs => ({ dim, end, keepdim });

/**
 * Shapes, and the dims that go: at the front, in the middle, at the end, all, none; runs of one element, short, prime
 * and long.
 */
const layouts: readonly (readonly [readonly number[], ReduceAttrs])[] = [
  [[2, 3, 4], over(0, 1)],
  [[2, 3, 4], over(1, 2)],
  [[2, 3, 4], over(2, 3)],
  [[2, 3, 4], over(0, 2)],
  [[2, 3, 4], over(1, 3, true)],
  [[2, 3, 4], over(0, 3)],
  [[2, 3], over(1, 2, true)],
  [[], over(0, 0)],
  [[4], over(0, 0)],
  [[1], over(0, 1)],
  [[3, 1, 2], over(1, 2)],
  [[37, 5], over(0, 1)],
  [[5, 37], over(1, 2)],
  [[2, 17, 13], over(1, 2)],
  [[1009], over(0, 1)],
  [[2, 509], over(1, 2)],
  [[67, 19], over(0, 1)],
  [[3, 0, 2], over(0, 1)], // nothing left
];
/** Nothing to reduce: the neutral element, or an error. */
const empty: readonly (readonly [readonly number[], ReduceAttrs])[] = [
  [[0], over(0, 1)],
  [[2, 0, 3], over(1, 2)],
  [[0, 2], over(0, 2, true)],
];

const samples = (fill: Fill, list = [...layouts, ...empty]): Sample<'sum'>[] =>
  list.map(([shape, attrs]) => ({ inputs: { x: f32(shape, fill) }, attrs }));

const dimErrors = (op: string, more: object = {}): [Bad, Bad, Bad] => [
  shapeError(
    { x: f32([2, 3]) },
    { ...over(0, 3), ...more },
    new RegExp(`^${op}: expected dims of a tensor of 2 dims, got 0 … 2`),
  ),
  shapeError(
    { x: f32([2, 3]) },
    { ...over(-1, 1), ...more },
    new RegExp(`^${op}: expected dims of a tensor of 2 dims, got -1 … 0`),
  ),
  freedError({ x: f32([2, 3]) }, { ...over(0, 1), ...more }),
];
const errors = (op: string, more: object = {}): [Bad, Bad, Bad, ...Bad[]] => [
  ...dimErrors(op, more),
  dtypeError({ x: i32([2, 3]) }, { ...over(0, 1), ...more }, new RegExp(`^${op}: expected dtype f32, got i32`)),
  dtypeError({ x: u8([2, 3]) }, { ...over(0, 1), ...more }, new RegExp(`^${op}: expected dtype f32, got u8`)),
];

type Lane = readonly number[];
const sum = (lane: Lane): number => lane.reduce((a, b) => a + b, 0);
const mean = (lane: Lane): number => sum(lane) / lane.length;
const product = (lane: Lane): number => lane.reduce((a, b) => a * b, 1);
const logsumexp = (lane: Lane): number => {
  const top = Math.max(...lane);
  return Math.abs(top) === Number.POSITIVE_INFINITY ? top : top + Math.log(sum(lane.map((v) => Math.exp(v - top))));
};

function reduction(
  op: string,
  f: (lane: Lane) => number,
  tolerance: Tolerance,
  fill: Fill = uniform(),
  more: readonly Sample<'sum'>[] = [],
): Case<'sum'> {
  return {
    samples: [...samples(fill), ...more],
    reference: ({ x }, attrs) => reduceNd(x, attrs, f),
    tolerance,
    gradients: 'all',
    errors: errors(op),
  };
}

/** Extremes have no neutral element. */
function extreme(op: string, f: (...lane: number[]) => number): Case<'max'> {
  const base = reduction(op, (lane) => f(...lane), { relative: 0 }, distinct());
  const special = list(1, Number.NaN, Number.POSITIVE_INFINITY, 2, Number.NEGATIVE_INFINITY, 0, 3);
  return {
    ...base,
    samples: [
      ...samples(distinct(), [...layouts]),
      { inputs: { x: f32([7, 2], special) }, attrs: over(1, 2), valueOnly: true },
    ],
    errors: [
      ...dimErrors(op),
      dtypeError({ x: u8([2, 3]) }, over(0, 1), new RegExp(`^${op}: expected dtype f32 or i32, got u8`)),
      shapeError(
        { x: f32([2, 0]) },
        over(1, 2),
        new RegExp(`^${op}: expected at least one element to reduce, got shape \\[2, 0\\]`),
      ),
    ],
  };
}

/** The first place of the extreme; NaN counts as it, as in PyTorch. */
function place(op: string, better: (a: number, b: number) => boolean): Case<'argmax'> {
  const first = (lane: Lane): number => {
    const nan = lane.findIndex(Number.isNaN);
    return nan >= 0 ? nan : lane.reduce((best, v, i) => (better(v, lane[best] as number) ? i : best), 0);
  };
  const ties = list(2, 5, 5, 1, 1, 5, 1, 3);
  const special = list(1, Number.NEGATIVE_INFINITY, Number.NaN, 2, Number.POSITIVE_INFINITY, Number.NaN, 0);
  return {
    samples: [
      ...samples(distinct(), [...layouts]),
      ...[over(0, 1), over(1, 2), over(0, 2)].map((attrs) => ({ inputs: { x: f32([8, 9], ties) }, attrs })),
      ...[over(0, 1), over(1, 2)].map((attrs) => ({ inputs: { x: f32([7, 9], special) }, attrs })),
      { inputs: { x: f32([37], list(Number.NEGATIVE_INFINITY)) }, attrs: over(0, 1) },
    ],
    reference: ({ x }, attrs) => reduceNd(x, attrs, first),
    dtype: 'i32',
    tolerance: { relative: 0 },
    gradients: 'none',
    errors: [
      ...dimErrors(op),
      dtypeError({ x: u8([2, 3]) }, over(0, 1), new RegExp(`^${op}: expected dtype f32 or i32, got u8`)),
      shapeError(
        { x: f32([0]) },
        over(0, 1),
        new RegExp(`^${op}: expected at least one element to reduce, got shape \\[0\\]`),
      ),
    ],
  };
}

const variance = (lane: Lane, correction: number): number => {
  const m = mean(lane);
  return sum(lane.map((v) => (v - m) ** 2)) / Math.max(0, lane.length - correction);
};

/** Without the runs of one element where no freedom is left: their derivative is NaN. */
function spread(op: string, finish: (v: number) => number): Case<'variance'> {
  const usable = layouts.filter(([shape, { dim, end }]) => shape.slice(dim, end).reduce((a, b) => a * b, 1) > 1);
  const sample = (fill: Fill, correction: number) =>
    usable.map(([shape, attrs]) => ({ inputs: { x: f32(shape, fill) }, attrs: { ...attrs, correction } }));
  return {
    samples: [
      ...sample(distinct(), 1),
      ...sample(distinct(), 0),
      ...sample(distinct(9, 13), 0.5),
      { inputs: { x: f32([1]) }, attrs: { ...over(0, 1), correction: 0 }, valueOnly: true },
    ],
    reference: ({ x }, attrs) => reduceNd(x, attrs, (lane) => finish(variance(lane, attrs.correction))),
    tolerance: { relative: 3e-6 },
    gradients: 'all',
    // Around 10 the rounding of x − mean is that of numbers around 10.
    gradientTolerance: 1e-4,
    errors: errors(op, { correction: 1 }),
  };
}

const scans: readonly Sample<'cumsum'>[] = [
  { inputs: { x: f32([5]) }, attrs: { dim: 0 } },
  { inputs: { x: f32([2, 3, 4]) }, attrs: { dim: 0 } },
  { inputs: { x: f32([2, 3, 4]) }, attrs: { dim: 1 } },
  { inputs: { x: f32([2, 3, 4]) }, attrs: { dim: 2 } },
  { inputs: { x: f32([3, 37]) }, attrs: { dim: -1 } },
  { inputs: { x: f32([37, 3]) }, attrs: { dim: 0 } },
  { inputs: { x: f32([]) }, attrs: { dim: 0 } },
  { inputs: { x: f32([1, 1]) }, attrs: { dim: 1 } },
  { inputs: { x: f32([0, 4]) }, attrs: { dim: 0 } },
  { inputs: { x: f32([4, 0]) }, attrs: { dim: 0 } },
  { inputs: { x: f32([509]) }, attrs: { dim: 0 } },
];
const alongAxis = (x: Nd, dim: number, f: (lane: number[]) => number[]): Nd => {
  const d = dim < 0 ? dim + x.shape.length : dim;
  return mapLanes(f, d, x.shape.length === 0 ? 0 : d + 1, x);
};
const runningSum = (lane: number[]): number[] => {
  let total = 0;
  return lane.map((v) => (total += v));
};
const runningLogSumExp = (lane: number[]): number[] => lane.map((_, i) => logsumexp(lane.slice(0, i + 1)));
const SUMS = { relative: 1e-6, absolute: 2e-5 };
const scan = (op: string, f: (lane: number[]) => number[]): Case<'cumsum'> => ({
  samples: scans,
  reference: ({ x }, { dim }) => alongAxis(x, dim, f),
  tolerance: SUMS,
  gradients: 'all',
  errors: axisErrors(op),
});

/** The product of all others, at each place. */
const productOfOthers = (lane: number[]): number[] => lane.map((_, i) => product(lane.filter((__, j) => j !== i)));
const zeros = list(2, 0, 3, 0.5, 0, -1, 1, 2, 4);
const products = uniform(0.7, 1.4);
const prodSamples: readonly Sample<'prod'>[] = [
  { inputs: { x: f32([3, 3], zeros) }, attrs: over(0, 1) },
  { inputs: { x: f32([3, 3], zeros) }, attrs: over(1, 2) },
  { inputs: { x: f32([9], zeros) }, attrs: over(0, 1) },
  { inputs: { x: f32([3], list(2, 0, 3)) }, attrs: over(0, 1) },
];

const norm = reduction('norm', (lane) => Math.hypot(...lane), { relative: 2e-6 }, uniform(-2, 2, 0));
const lse = reduction('logsumexp', logsumexp, { relative: 1e-6, absolute: 5e-7 }, uniform(), [
  { inputs: { x: f32([2, 3], list(1000, 999, 0, -1000, -1001, -1000.5)) }, attrs: over(1, 2), valueOnly: true },
]);
/** Of no elements the norm is 0, at its kink, and the logarithm of their sum is infinite: there are no derivatives. */
const withoutEmpty = (all: readonly Sample<'sum'>[]): Sample<'sum'>[] =>
  all.map((sample) => ({ ...sample, valueOnly: sample.valueOnly || sample.inputs.x.shape.includes(0) }));

export const reduceCases = {
  sum: {
    ...reduction('sum', sum, { relative: 1e-6, absolute: 2e-5 }),
    dtype: (_, { x }) => (x === 'f32' ? 'f32' : 'i32'),
    errors: dimErrors('sum'),
  },
  mean: reduction('mean', mean, { relative: 1e-6, absolute: 1e-6 }),
  // Beside zeros finite differences see the third derivative, too.
  prod: { ...reduction('prod', product, { relative: 2e-5 }, products, prodSamples), gradientTolerance: 1e-4 },
  prodBackward: {
    samples: [
      ...layouts,
      ...empty,
      ...prodSamples.map((s) => [s.inputs.x.shape, s.attrs as ReduceAttrs, s.inputs.x.fill] as const),
    ].map(([shape, attrs, fill]) => ({
      inputs: {
        g: f32(reduceNd({ shape, data: new Float64Array(shape.reduce((a, b) => a * b, 1)) }, attrs, () => 0).shape),
        x: f32(shape, fill ?? products),
      },
      attrs,
    })),
    reference: ({ g, x }, attrs) =>
      zip(
        (a, b) => (a as number) * (b as number),
        restoreNd(g, x.shape, attrs),
        mapLanes(productOfOthers, attrs.dim, attrs.end, x),
      ),
    tolerance: { relative: 5e-5 },
    gradients: 'none',
    errors: [
      shapeError(
        { g: f32([3]), x: f32([2, 3]) },
        over(1, 2),
        /^prodBackward: expected the gradient of shape \[2\], got \[3\]/,
      ),
      shapeError(
        { g: f32([2]), x: f32([2, 3]) },
        over(1, 2, true),
        /^prodBackward: expected the gradient of shape \[2, 1\], got \[2\]/,
      ),
      dtypeError({ g: f32([2]), x: i32([2, 3]) }, over(1, 2), /^prodBackward: expected dtype f32, got i32/),
      dtypeError({ g: u8([2]), x: f32([2, 3]) }, over(1, 2), /^prodBackward: expected dtype f32, got u8/),
    ],
  },
  max: extreme('max', Math.max),
  min: extreme('min', Math.min),
  argmax: place('argmax', (a, b) => a > b),
  argmin: place('argmin', (a, b) => a < b),
  variance: spread('variance', (v) => v),
  std: spread('std', Math.sqrt),
  norm: { ...norm, samples: withoutEmpty(norm.samples) },
  logsumexp: { ...lse, samples: withoutEmpty(lse.samples) },
  cumsum: {
    ...scan('cumsum', runningSum),
    errors: [
      ...axisErrors('cumsum').filter(({ error }) => error === ShapeError),
      dtypeError({ x: u8([2, 3]) }, { dim: 0 }, /^cumsum: expected dtype f32 or i32, got u8/),
    ] as unknown as Case<'cumsum'>['errors'],
  },
  cumsumBackward: {
    samples: scans.map(({ inputs: { x: g }, attrs }) => ({ inputs: { g }, attrs })),
    reference: ({ g }, { dim }) => alongAxis(g, dim, (lane) => runningSum(lane.reverse()).reverse()),
    tolerance: SUMS,
    gradients: 'all',
    errors: axisErrors('cumsumBackward', 'g'),
  },
  logcumsumexp: {
    ...scan('logcumsumexp', runningLogSumExp),
    samples: [
      ...scans,
      { inputs: { x: f32([2, 3], list(1000, 999, 0, -1000, -1001, -1000.5)) }, attrs: { dim: 1 }, valueOnly: true },
      {
        inputs: {
          x: f32([5, 5], list(Number.NEGATIVE_INFINITY, 1, Number.POSITIVE_INFINITY, 0, Number.NaN, -3, 88)),
        },
        attrs: { dim: 0 },
        valueOnly: true,
      },
    ],
    tolerance: { relative: 1e-6, absolute: 1e-6 },
  },
  logcumsumexpBackward: {
    samples: scans.map(({ inputs: { x }, attrs }) => ({
      inputs: {
        g: f32(x.shape),
        x,
        y: f32(
          x.shape,
          from((before) => alongAxis(before.x as Nd, (attrs as { dim: number }).dim, runningLogSumExp)),
        ),
      },
      attrs,
    })),
    reference: ({ g, x, y }, { dim }) => {
      // Σ g_j e^(x_i − y_j) over the j from i on.
      const shares = zip((a, b) => (a as number) * Math.exp(-(b as number)), g, y);
      const sums = alongAxis(shares, dim, (lane) => runningSum(lane.reverse()).reverse());
      return zip((a, b) => Math.exp(a as number) * (b as number), x, sums);
    },
    tolerance: { relative: 2e-6, absolute: 2e-6 },
    gradients: 'none',
    errors: [
      shapeError(
        { g: f32([3]), x: f32([2]), y: f32([2]) },
        { dim: 0 },
        /^logcumsumexpBackward: expected the gradient of shape \[2\], got \[3\]/,
      ),
      shapeError(
        { g: f32([2]), x: f32([2]), y: f32([3]) },
        { dim: 0 },
        /^logcumsumexpBackward: expected the result of shape \[2\], got \[3\]/,
      ),
      dtypeError(
        { g: f32([2]), x: i32([2]), y: f32([2]) },
        { dim: 0 },
        /^logcumsumexpBackward: expected dtype f32, got i32/,
      ),
    ],
  },
} satisfies Cases;
