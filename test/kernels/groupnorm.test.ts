// The kernels of group norm against f64, and what may alias.
import { describe, expect, it } from 'vitest';
import { builds, KernelBench } from '../support/kernels.ts';

const EPS = 1e-5;
const noise = (n: number, seed: number): Float32Array =>
  Float32Array.from({ length: n }, (_, i) => 2 * Math.sin(seed + i * i * 1.37));
const at = (x: ArrayLike<number>, i: number): number => x[i] as number;

/** [n, groups, channels of a group, elements of a channel]. */
type Shape = readonly [n: number, groups: number, c: number, s: number];

/** Every quantity in f64. `weight` and `bias` null mean ones and zeros. */
function reference(
  [n, groups, c, s]: Shape,
  x: Float32Array,
  g: Float32Array,
  weight: Float32Array | null,
  bias: Float32Array | null,
) {
  const size = c * s;
  const channel = (k: number): number => Math.floor(k / s) % (groups * c);
  const group = (k: number): number => Math.floor(k / size);
  const means = (term: (k: number) => number): Float64Array =>
    Float64Array.from({ length: n * groups }, (_, i) => {
      let sum = 0;
      for (let k = i * size; k < (i + 1) * size; k++) sum += term(k);
      return sum / size;
    });
  const perChannel = (term: (k: number) => number): Float64Array => {
    const sums = new Float64Array(groups * c);
    for (let k = 0; k < x.length; k++) sums[channel(k)] = at(sums, channel(k)) + term(k);
    return sums;
  };
  const mean = means((k) => at(x, k));
  const rstd = means((k) => (at(x, k) - at(mean, group(k))) ** 2).map((v) => 1 / Math.sqrt(v + EPS));
  const xhat = (k: number): number => (at(x, k) - at(mean, group(k))) * at(rstd, group(k));
  const gw = (k: number): number => at(g, k) * (weight ? at(weight, channel(k)) : 1);
  const [a, b] = [means(gw), means((k) => gw(k) * xhat(k))];
  const each = (f: (k: number) => number): Float64Array => Float64Array.from(x, (_, k) => f(k));
  return {
    mean,
    rstd,
    out: each((k) => xhat(k) * (weight ? at(weight, channel(k)) : 1) + (bias ? at(bias, channel(k)) : 0)),
    dx: each((k) => at(rstd, group(k)) * (gw(k) - at(a, group(k)) - xhat(k) * at(b, group(k)))),
    dweight: perChannel((k) => at(g, k) * xhat(k)),
    dbias: perChannel((k) => at(g, k)),
  };
}

/** Every value lies within a few roundings of a number of size `scale` plus its own. */
function expectClose(got: Float32Array, expected: Float64Array, label: string, scale = 1): void {
  const worst = got.reduce((most, v, k) => {
    const e = at(expected, k);
    return Math.max(most, Math.abs(v - e) / (scale + Math.abs(e)));
  }, 0);
  expect(worst * 2 ** 24, label).toBeLessThanOrEqual(24);
}

const shapes: readonly Shape[] = [
  ...[1, 2, 3, 4, 5, 15, 16, 17, 67, 131].map((s): Shape => [2, 2, 3, s]),
  ...[1, 3, 4, 5, 16, 37].map((c): Shape => [3, 2, c, 1]),
  ...[1, 4, 33].map((c): Shape => [2, 1, c, 5]),
  [2, 7, 1, 9],
  [0, 2, 3, 4],
  [2, 2, 3, 0],
  [1, 1, 1, 1],
];
const affine = [
  [true, true],
  [true, false],
  [false, true],
  [false, false],
] as const;

describe.each(builds)('%s', (build) => {
  const bench = new KernelBench(build);

  it.each(affine)('group norm, weight %s and bias %s, agrees with f64', (hasWeight, hasBias) => {
    for (const shape of shapes) {
      bench.reset();
      const [n, groups, c, s] = shape;
      const [size, channels] = [n * groups * c * s, groups * c];
      const label = `[${shape}]`;
      const [x, g] = [noise(size, 1).map((v) => v + 3), noise(size, 2)];
      const [weight, bias] = [hasWeight ? noise(channels, 3) : null, hasBias ? noise(channels, 4) : null];
      const expected = reference(shape, x, g, weight, bias);
      const [xp, gp, out, dx] = [bench.f32(x), bench.f32(g), bench.f32(size), bench.f32(size)];
      const [mean, rstd] = [bench.f32(n * groups), bench.f32(n * groups)];
      const [dweight, dbias] = [bench.f32(channels), bench.f32(channels)];
      const [wp, bp] = [weight ? bench.f32(weight) : 0, bias ? bench.f32(bias) : 0];
      bench.run('group_norm_forward_f32', out, mean, rstd, xp, wp, bp, n, groups, c, s, EPS);
      if (c * s === 0) continue;
      // Of one or two values the variance may be near 0, and what is left of it is rounding.
      const steep = c * s <= 2 ? 1 / Math.sqrt(EPS) : 8;
      expectClose(bench.readF32(mean, n * groups), expected.mean, `mean ${label}`, 3);
      expectClose(bench.readF32(rstd, n * groups), expected.rstd, `rstd ${label}`, steep);
      expectClose(bench.readF32(out, size), expected.out, `out ${label}`, steep);
      bench.run('group_norm_backward_f32', dx, gp, xp, mean, rstd, wp, n, groups, c, s);
      expectClose(bench.readF32(dx, size), expected.dx, `dx ${label}`, 4 * steep);
      bench.run(
        'group_norm_backward_params_f32',
        dweight,
        dbias,
        gp,
        xp,
        mean,
        rstd,
        n,
        groups,
        c,
        s,
        0,
        channels,
        bench.f32(4096),
      );
      expectClose(bench.readF32(dweight, channels), expected.dweight, `dweight ${label}`, steep * (1 + n * s));
      expectClose(bench.readF32(dbias, channels), expected.dbias, `dbias ${label}`, 1 + n * s);
      // One that nobody wants is left out.
      const [weightOnly, biasOnly] = [bench.f32(channels), bench.f32(channels)];
      bench.run(
        'group_norm_backward_params_f32',
        weightOnly,
        0,
        gp,
        xp,
        mean,
        rstd,
        n,
        groups,
        c,
        s,
        0,
        channels,
        bench.f32(4096),
      );
      bench.run(
        'group_norm_backward_params_f32',
        0,
        biasOnly,
        gp,
        xp,
        mean,
        rstd,
        n,
        groups,
        c,
        s,
        0,
        channels,
        bench.f32(4096),
      );
      expect(bench.readF32(weightOnly, channels)).toEqual(bench.readF32(dweight, channels));
      expect(bench.readF32(biasOnly, channels)).toEqual(bench.readF32(dbias, channels));
      // In place.
      bench.run('group_norm_backward_f32', gp, gp, xp, mean, rstd, wp, n, groups, c, s);
      expect(bench.readF32(gp, size)).toEqual(bench.readF32(dx, size));
      bench.run('group_norm_forward_f32', xp, mean, rstd, xp, wp, bp, n, groups, c, s, EPS);
      expect(bench.readF32(xp, size)).toEqual(bench.readF32(out, size));
    }
  });

  it('a NaN spoils its own group and no other', () => {
    bench.reset();
    const x = noise(2 * 2 * 2 * 3, 1);
    x[7] = Number.NaN;
    const [out, mean, rstd, xp] = [bench.f32(24), bench.f32(4), bench.f32(4), bench.f32(x)];
    bench.run('group_norm_forward_f32', out, mean, rstd, xp, 0, 0, 2, 2, 2, 3, EPS);
    bench.readF32(out, 24).forEach((v, k) => {
      expect(Number.isNaN(v), `element ${k}`).toBe(k >= 6 && k < 12);
    });
  });
});
