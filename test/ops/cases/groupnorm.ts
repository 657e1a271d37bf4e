// Cases of group normalisation and of what its backward is made of.
import { numelOf, type Shape } from '../../../bindings/tensor.ts';
import { type Nd, nd } from '../../../reference/nd.ts';
import { parameters } from './norm-inputs.ts';
import {
  argumentError,
  type Bad,
  type BadInputs,
  type Cases,
  dtypeError,
  f32,
  from,
  i32,
  type Sample,
  type Spec,
  shapeError,
  uniform,
} from './types.ts';

const EPS = 1e-5;
const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

/** The positions of each group of each sample, in the order of [n, groups]. */
function groupsOf(shape: Shape, groups: number): number[][] {
  const [n = 0, channels = 0, ...rest] = shape;
  const size = (channels / groups) * numelOf(rest);
  return Array.from({ length: n * groups }, (_, k) => Array.from({ length: size }, (__, i) => k * size + i));
}
const channelOf = (shape: Shape, position: number): number =>
  Math.floor(position / numelOf(shape.slice(2))) % (shape[1] as number);
const parameter = (w: Nd | null, shape: Shape, position: number, absent: number): number =>
  w ? (w.data[channelOf(shape, position)] as number) : absent;

/** Mean and 1/σ of the values at `positions`. */
function statistics(x: Nd, positions: readonly number[]): { mean: number; rstd: number } {
  const values = positions.map((p) => x.data[p] as number);
  const m = mean(values);
  return { mean: m, rstd: 1 / Math.sqrt(mean(values.map((v) => (v - m) ** 2)) + EPS) };
}

function normalized(x: Nd, groups: number, weight: Nd | null, bias: Nd | null): Nd {
  const y = nd(x.shape, x.data);
  for (const positions of groupsOf(x.shape, groups)) {
    const own = statistics(x, positions);
    for (const p of positions)
      y.data[p] =
        ((x.data[p] as number) - own.mean) * own.rstd * parameter(weight, x.shape, p, 1) +
        parameter(bias, x.shape, p, 0);
  }
  return y;
}

/** Through the statistics as well: rstd (h − mean h − z mean(h z)) with h = g · weight, z = (x − mean) rstd. */
function toInput(g: Nd, x: Nd, groups: number, weight: Nd | null): Nd {
  const dx = nd(x.shape, x.data);
  for (const positions of groupsOf(x.shape, groups)) {
    const own = statistics(x, positions);
    const z = positions.map((p) => ((x.data[p] as number) - own.mean) * own.rstd);
    const h = positions.map((p) => (g.data[p] as number) * parameter(weight, x.shape, p, 1));
    const [a, b] = [mean(h), mean(h.map((v, j) => v * (z[j] as number)))];
    positions.forEach((p, j) => {
      dx.data[p] = own.rstd * ((h[j] as number) - a - (z[j] as number) * b);
    });
  }
  return dx;
}

/** [2, channels]: Σ g z and Σ g by channel. */
function toParameters(g: Nd, x: Nd, groups: number): Nd {
  const channels = x.shape[1] as number;
  const sums = new Float64Array(2 * channels);
  for (const positions of groupsOf(x.shape, groups)) {
    const own = statistics(x, positions);
    for (const p of positions) {
      const c = channelOf(x.shape, p);
      sums[c] = (sums[c] as number) + (g.data[p] as number) * ((x.data[p] as number) - own.mean) * own.rstd;
      sums[channels + c] = (sums[channels + c] as number) + (g.data[p] as number);
    }
  }
  return nd([2, channels], sums);
}

const inputs: readonly (readonly [shape: Shape, groups: number])[] = [
  [[2, 4, 3], 2],
  [[1, 2, 3], 1],
  [[3, 6], 2],
  [[2, 6], 1],
  [[2, 3, 2, 3], 3],
  [[2, 3, 5], 1],
  [[0, 4, 3], 2],
  [[1, 1, 1], 1],
  [[2, 6, 37], 3],
  [[1, 16, 4], 4],
];
const spread = uniform(-3, 5);
const some = uniform(0.3, 2);
const left = (shape: Shape, groups: number, what: 'mean' | 'rstd'): Spec => {
  const made = [shape[0] as number, groups];
  return f32(
    made,
    from(({ x }) =>
      nd(
        made,
        groupsOf(shape, groups).map((positions) => statistics(x as Nd, positions)[what]),
      ),
    ),
  );
};
const x24 = f32([2, 4]);
const v22 = f32([2, 2]);

const savedErrors = (op: string, rest: BadInputs): [Bad, Bad, Bad, Bad, Bad] => [
  shapeError(
    { g: f32([4, 2]), x: x24, mean: v22, rstd: v22, ...rest },
    undefined,
    new RegExp(`^${op}: expected the gradient of shape \\[2, 4\\], got \\[4, 2\\]`),
  ),
  dtypeError(
    { g: i32([2, 4]), x: x24, mean: v22, rstd: v22, ...rest },
    undefined,
    new RegExp(`^${op}: expected dtype f32, got i32`),
  ),
  argumentError(
    { g: x24, x: x24, mean: f32([2, 3]), rstd: v22, ...rest },
    undefined,
    new RegExp(
      `^${op}: expected groups to be a whole number >= 1 that divides the channels of input \\[2, 4\\], got 3`,
    ),
  ),
  shapeError(
    { g: x24, x: x24, mean: f32([3, 2]), rstd: v22, ...rest },
    undefined,
    new RegExp(`^${op}: expected the mean of shape \\[2, 2\\], got \\[3, 2\\]`),
  ),
  shapeError(
    { g: x24, x: x24, mean: v22, rstd: f32([7]), ...rest },
    undefined,
    new RegExp(`^${op}: expected 1/σ of shape \\[2, 2\\], got \\[7\\]`),
  ),
];

export const groupNormCases = {
  groupNorm: {
    samples: inputs.flatMap(([shape, groups]): Sample<'groupNorm'>[] => {
      const [weight, bias] = [f32([shape[1] as number], some), f32([shape[1] as number])];
      const attrs = { groups, eps: EPS };
      return [
        { inputs: { x: f32(shape, spread), weight, bias }, attrs },
        { inputs: { x: f32(shape, spread), weight: null, bias: null }, attrs },
        { inputs: { x: f32(shape, spread), weight, bias: null }, attrs },
        { inputs: { x: f32(shape, spread), weight: null, bias }, attrs },
      ];
    }),
    reference: ({ x, weight, bias }, { groups }) => normalized(x, groups, weight, bias),
    tolerance: { relative: 5e-6, absolute: 5e-6 },
    gradients: 'all',
    gradientTolerance: 5e-5,
    errors: [
      shapeError(
        { x: f32([3]), weight: null, bias: null },
        { groups: 1, eps: EPS },
        /^groupNorm: expected input \[n, channels, \.\.\.\], got \[3\]/,
      ),
      argumentError(
        { x: x24, weight: null, bias: null },
        { groups: 3, eps: EPS },
        /^groupNorm: expected groups to be a whole number >= 1 that divides the channels of input \[2, 4\], got 3/,
      ),
      argumentError(
        { x: x24, weight: null, bias: null },
        { groups: 0, eps: EPS },
        /^groupNorm: expected groups to be a whole number >= 1/,
      ),
      shapeError(
        { x: x24, weight: f32([2]), bias: null },
        { groups: 2, eps: EPS },
        /^groupNorm: expected weight of shape \[4\], got \[2\]/,
      ),
      shapeError(
        { x: x24, weight: null, bias: f32([2]) },
        { groups: 2, eps: EPS },
        /^groupNorm: expected bias of shape \[4\], got \[2\]/,
      ),
      dtypeError(
        { x: i32([2, 4]), weight: null, bias: null },
        { groups: 2, eps: EPS },
        /^groupNorm: expected dtype f32, got i32/,
      ),
      dtypeError(
        { x: x24, weight: i32([4]), bias: null },
        { groups: 2, eps: EPS },
        /^groupNorm: expected dtype f32, got i32/,
      ),
    ],
  },
  groupNormBackward: {
    samples: inputs.flatMap(([shape, groups]): Sample<'groupNormBackward'>[] =>
      [f32([shape[1] as number], some), null].map((weight) => ({
        inputs: {
          g: f32(shape),
          x: f32(shape, spread),
          mean: left(shape, groups, 'mean'),
          rstd: left(shape, groups, 'rstd'),
          weight,
        },
      })),
    ),
    reference: ({ g, x, mean: m, weight }) => toInput(g, x, m.shape[1] as number, weight),
    tolerance: { relative: 1e-5, absolute: 2e-5 },
    gradients: 'none',
    errors: [
      ...savedErrors('groupNormBackward', { weight: null }),
      shapeError(
        { g: x24, x: x24, mean: v22, rstd: v22, weight: f32([2]) },
        undefined,
        /^groupNormBackward: expected weight of shape \[4\], got \[2\]/,
      ),
    ],
  },
  groupNormBackwardParams: {
    samples: inputs.map(([shape, groups]) => ({
      inputs: {
        g: f32(shape),
        x: f32(shape, spread),
        mean: left(shape, groups, 'mean'),
        rstd: left(shape, groups, 'rstd'),
      },
    })),
    reference: ({ g, x, mean: m }) => parameters(toParameters(g, x, m.shape[1] as number)),
    tolerance: { relative: 1e-5, absolute: 2e-5 },
    gradients: 'none',
    errors: savedErrors('groupNormBackwardParams', {}),
  },
} satisfies Cases;
