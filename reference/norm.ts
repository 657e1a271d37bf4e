// Layer and batch normalisation: the definition over groups of positions, and its derivatives.
import { type Nd, nd, numelOf } from './nd.ts';

/** PyTorch's default. */
export const EPS = 1e-5;
const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
function variance(values: readonly number[]): number {
  const center = mean(values);
  return mean(values.map((v) => (v - center) ** 2));
}

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
/** Mean and 1/√(variance + eps) of each group. */
export const statistics = (x: Nd, { positions }: Groups, eps = EPS): { mean: number[]; rstd: number[] } => ({
  mean: positions.map((group) => mean(valuesAt(x, group))),
  rstd: positions.map((group) => 1 / Math.sqrt(variance(valuesAt(x, group)) + eps)),
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
export function toInput(g: Nd, x: Nd, groups: Groups, weight: Nd | null, eps = EPS): Nd {
  const own = statistics(x, groups, eps);
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
export function toParameters(g: Nd, x: Nd, groups: Groups, n: number, eps = EPS): Nd {
  const own = statistics(x, groups, eps);
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
