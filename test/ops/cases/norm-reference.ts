// What layer and batch normalisation share: the definition over groups of positions, its derivatives, and errors.
import { numelOf } from '../../../bindings/tensor.ts';
import { type Nd, nd } from '../../support/tensors.ts';
import { argumentError, type Bad, dtypeError, f32, i32, type Spec, shapeError, uniform } from './types.ts';

export const EPS = 1e-5;
const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
const variance = (values: readonly number[]): number => mean(values.map((v) => (v - mean(values)) ** 2));

/** Groups of positions that are normalised together: one a row, or one a channel. */
export interface Groups {
  readonly positions: readonly (readonly number[])[];
  /** Which element of weight and bias a position takes. */
  parameter(position: number): number;
}
export const byRow = (shape: readonly number[], cols: number): Groups => ({
  positions: Array.from({ length: cols === 0 ? 0 : numelOf(shape) / cols }, (_, r) =>
    Array.from({ length: cols }, (__, c) => r * cols + c),
  ),
  parameter: (position) => position % cols,
});
export const byChannel = (shape: readonly number[]): Groups => {
  const c = shape[1] as number;
  const s = numelOf(shape.slice(2));
  const channel = (position: number): number => Math.floor(position / s) % c;
  const all = Array.from({ length: numelOf(shape) }, (_, i) => i);
  return { positions: Array.from({ length: c }, (_, k) => all.filter((i) => channel(i) === k)), parameter: channel };
};

const valuesAt = (x: Nd, positions: readonly number[]): number[] => positions.map((p) => x.data[p] as number);
export const statistics = (x: Nd, { positions }: Groups): { mean: number[]; rstd: number[] } => ({
  mean: positions.map((group) => mean(valuesAt(x, group))),
  rstd: positions.map((group) => 1 / Math.sqrt(variance(valuesAt(x, group)) + EPS)),
});

/** weight · (x − mean) · rstd + bias, with given statistics of each group. */
export function normalized(
  x: Nd,
  groups: Groups,
  given: { mean: readonly number[]; rstd: readonly number[] },
  weight: Nd | null,
  bias: Nd | null,
): Nd {
  const y = nd(x.shape, x.data);
  groups.positions.forEach((group, i) => {
    for (const p of group) {
      const z = ((x.data[p] as number) - (given.mean[i] as number)) * (given.rstd[i] as number);
      y.data[p] =
        z * (weight ? (weight.data[groups.parameter(p)] as number) : 1) +
        (bias ? (bias.data[groups.parameter(p)] as number) : 0);
    }
  });
  return y;
}

/** Through the statistics as well: rstd (h − mean h − z mean(h z)) with h = g · weight, z = (x − mean) rstd. */
export function toInput(g: Nd, x: Nd, groups: Groups, weight: Nd | null): Nd {
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
export function toParameters(g: Nd, x: Nd, groups: Groups, n: number): Nd {
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

/** Values of an input, and of weights and 1/σ, which are positive. */
export const spread = uniform(-3, 5);
export const some = uniform(0.3, 2);
export const TOLERANCE = { relative: 5e-6, absolute: 5e-6 };

export const x23 = f32([2, 3]);
export const v2 = f32([2]);
export const v3 = f32([3]);

/** The checks that all backward ops share: a gradient of another shape, a dtype, statistics of another shape. */
export const backwardErrors = (op: string, rest: readonly (Spec | null)[], statistic: number): [Bad, Bad, Bad, Bad] => [
  shapeError(
    [f32([3, 2]), x23, ...rest],
    undefined,
    new RegExp(`^${op}: expected the gradient of shape \\[2, 3\\], got \\[3, 2\\]`),
  ),
  dtypeError([i32([2, 3]), x23, ...rest], undefined, new RegExp(`^${op}: expected dtype f32, got i32`)),
  shapeError(
    [x23, x23, rest[0] as Spec, f32([7]), ...rest.slice(2)],
    undefined,
    new RegExp(`^${op}: expected 1/σ of shape \\[${statistic}\\], got \\[7\\]`),
  ),
  argumentError(
    [x23, { raw: true }, ...rest],
    undefined,
    new RegExp(`^${op}: expected a tensor as argument 2, got boolean`),
  ),
];
export const ALL_THROW = ['throws', 'throws', 'throws', 'throws'] as const;
