import { describe, expect, it } from 'vitest';
import { builds, KernelBench, ulps } from '../support/kernels.ts';

const EPSILON = 2 ** -24;
const EPS = 1e-5;
const noise = (n: number, seed: number) =>
  Float32Array.from({ length: n }, (_, i) => 2 * Math.sin(seed + i * i * 1.37));
const at = (x: ArrayLike<number>, i: number) => x[i] as number;

/**
 * A normalization as both layer and batch norm have it: element k belongs to group(k), and to parameter(k) of `params`.
 */
interface Layout {
  size: number;
  groups: number;
  group(k: number): number;
  params: number;
  parameter(k: number): number;
}

const layers = (rows: number, cols: number): Layout => ({
  size: rows * cols,
  groups: rows,
  group: (k) => Math.floor(k / cols),
  params: cols,
  parameter: (k) => k % cols,
});

const batches = (n: number, c: number, s: number): Layout => ({
  size: n * c * s,
  groups: c,
  group: (k) => Math.floor(k / s) % c,
  params: c,
  parameter: (k) => Math.floor(k / s) % c,
});

/** Sums of term(k) by group or parameter. */
function gather(layout: Layout, by: 'group' | 'parameter', term: (k: number) => number) {
  const out = new Float64Array(by === 'group' ? layout.groups : layout.params);
  for (let k = 0; k < layout.size; k++) out[layout[by](k)] = at(out, layout[by](k)) + term(k);
  return out;
}

/** Every quantity of a normalization in f64. `weight` and `bias` null mean ones and zeros. */
function reference(
  layout: Layout,
  x: Float32Array,
  g: Float32Array,
  weight: Float32Array | null,
  bias: Float32Array | null,
) {
  const { group, parameter, size, groups } = layout;
  const count = size / groups;
  const mean = gather(layout, 'group', (k) => at(x, k) / count);
  const variance = gather(layout, 'group', (k) => (at(x, k) - at(mean, group(k))) ** 2 / count);
  const rstd = variance.map((v) => 1 / Math.sqrt(v + EPS));
  const w = (k: number) => (weight ? at(weight, parameter(k)) : 1);
  const xhat = (k: number) => (at(x, k) - at(mean, group(k))) * at(rstd, group(k));
  const gw = (k: number) => at(g, k) * w(k);
  const meanG = gather(layout, 'group', (k) => gw(k) / count);
  const meanGx = gather(layout, 'group', (k) => (gw(k) * xhat(k)) / count);
  const each = (f: (k: number) => number) => Float64Array.from({ length: size }, (_, k) => f(k));
  return {
    mean,
    variance,
    rstd,
    out: each((k) => xhat(k) * w(k) + (bias ? at(bias, parameter(k)) : 0)),
    dx: each((k) => at(rstd, group(k)) * (gw(k) - at(meanG, group(k)) - xhat(k) * at(meanGx, group(k)))),
    dxEval: each((k) => gw(k) * at(rstd, group(k))),
    dweight: gather(layout, 'parameter', (k) => at(g, k) * xhat(k)),
    dbias: gather(layout, 'parameter', (k) => at(g, k)),
  };
}

/** Every value lies within a few roundings of a number of size `scale` plus its own. */
function expectClose(got: Float32Array, expected: Float64Array, label: string, scale = 1) {
  const worst = got.reduce((most, v, k) => {
    const e = at(expected, k);
    return Math.max(most, Math.abs(v - e) / (scale + Math.abs(e)));
  }, 0);
  expect(worst / EPSILON, label).toBeLessThanOrEqual(24);
}

const layerShapes = [
  ...[1, 3, 4, 5, 8, 15, 16, 17, 31, 67, 131, 1009].map((cols) => [3, cols] as const),
  ...[0, 1, 4, 17, 33].map((rows) => [rows, 7] as const),
  [67, 37],
] as const;

const batchShapes = [
  ...[1, 3, 4, 5, 15, 16, 17, 67].map((s) => [3, 5, s] as const),
  ...[1, 3, 4, 5, 8, 15, 16, 17, 37].map((c) => [7, c, 1] as const),
  ...[1, 2, 17, 64, 65, 131].map((n) => [n, 6, 1] as const),
  [2, 0, 3],
  [2, 0, 1],
  [1, 1, 2],
] as const;

// Which of weight and bias are there.
const affine = [
  [true, true],
  [true, false],
  [false, true],
  [false, false],
] as const;

describe.each(builds)('%s', (build) => {
  const bench = new KernelBench(build);

  it.each(affine)('layer norm, weight %s and bias %s, agrees with f64', (hasWeight, hasBias) => {
    for (const [rows, cols] of layerShapes) {
      bench.reset();
      const layout = layers(rows, cols);
      const n = rows * cols;
      const [x, g] = [noise(n, 1).map((v) => v + 3), noise(n, 2)];
      const [weight, bias] = [hasWeight ? noise(cols, 3) : null, hasBias ? noise(cols, 4) : null];
      const expected = reference(layout, x, g, weight, bias);
      const [xp, gp] = [bench.f32(x), bench.f32(g)];
      const [wp, bp] = [weight ? bench.f32(weight) : 0, bias ? bench.f32(bias) : 0];
      const [out, mean, rstd, dx] = [bench.f32(n), bench.f32(rows), bench.f32(rows), bench.f32(n)];
      const [dweight, dbias] = [bench.f32(cols), bench.f32(cols)];
      bench.run('layer_norm_forward_f32', out, mean, rstd, xp, wp, bp, rows, cols, EPS, 1);
      expectClose(bench.readF32(mean, rows), expected.mean, `mean [${rows}, ${cols}]`, 3);
      // With one column the variance is 0, and what is left of it is rounding.
      const steep = cols === 1 ? 1 / Math.sqrt(EPS) : 4;
      expectClose(bench.readF32(rstd, rows), expected.rstd, `rstd [${rows}, ${cols}]`, steep);
      expectClose(bench.readF32(out, n), expected.out, `out [${rows}, ${cols}]`, steep);
      bench.run('layer_norm_backward_f32', dx, gp, xp, mean, rstd, wp, rows, cols, 1);
      expectClose(bench.readF32(dx, n), expected.dx, `dx [${rows}, ${cols}]`, 2 * steep);
      bench.run(
        'layer_norm_backward_params_f32',
        dweight,
        dbias,
        gp,
        xp,
        mean,
        rstd,
        rows,
        cols,
        cols,
        bench.f32(4096),
      );
      expectClose(bench.readF32(dweight, cols), expected.dweight, `dweight [${rows}, ${cols}]`, steep * (1 + rows));
      expectClose(bench.readF32(dbias, cols), expected.dbias, `dbias [${rows}, ${cols}]`, 1 + rows);
      // In place, and over what is read.
      bench.run('layer_norm_backward_f32', gp, gp, xp, mean, rstd, wp, rows, cols, 1);
      expect(bench.readF32(gp, n)).toEqual(bench.readF32(dx, n));
      bench.run('layer_norm_forward_f32', xp, mean, rstd, xp, wp, bp, rows, cols, EPS, 1);
      expect(bench.readF32(xp, n)).toEqual(bench.readF32(out, n));
    }
  });

  it.each(affine)('batch norm, weight %s and bias %s, agrees with f64', (hasWeight, hasBias) => {
    for (const [n, c, s] of batchShapes) {
      bench.reset();
      const layout = batches(n, c, s);
      const label = `[${n}, ${c}, ${s}]`;
      const [x, g] = [noise(layout.size, 1).map((v) => v + 3), noise(layout.size, 2)];
      const [weight, bias] = [hasWeight ? noise(c, 3) : null, hasBias ? noise(c, 4) : null];
      const expected = reference(layout, x, g, weight, bias);
      const [xp, gp] = [bench.f32(x), bench.f32(g)];
      const [wp, bp] = [weight ? bench.f32(weight) : 0, bias ? bench.f32(bias) : 0];
      const [mean, variance, rstd, dweight, dbias] = Array.from({ length: 5 }, () => bench.f32(c)) as [
        number,
        number,
        number,
        number,
        number,
      ];
      const out = bench.f32(layout.size);
      const count = n * s;
      bench.run('batch_norm_stats_f32', mean, variance, xp, n, c, s, c * s, bench.f32(4096));
      expectClose(bench.readF32(mean, c), expected.mean, `mean ${label}`, 3);
      expectClose(bench.readF32(variance, c), expected.variance, `variance ${label}`);
      bench.run('rstd_f32', rstd, variance, c, EPS);
      const steep = count === 1 ? 1 / Math.sqrt(EPS) : 8;
      expectClose(bench.readF32(rstd, c), expected.rstd, `rstd ${label}`, steep);
      bench.run('batch_norm_forward_f32', out, xp, mean, rstd, wp, bp, n, c, s, c * s, 0);
      const plain = bench.readF32(out, layout.size);
      expectClose(plain, expected.out, `out ${label}`, steep);
      bench.run('batch_norm_forward_f32', out, xp, mean, rstd, wp, bp, n, c, s, c * s, 1);
      expect(bench.readF32(out, layout.size), `relu ${label}`).toEqual(plain.map((v) => (v < 0 ? 0 : v)));
      bench.run('batch_norm_backward_params_f32', dweight, dbias, gp, xp, mean, rstd, n, c, s, c * s, bench.f32(4096));
      expectClose(bench.readF32(dweight, c), expected.dweight, `dweight ${label}`, steep * count);
      expectClose(bench.readF32(dbias, c), expected.dbias, `dbias ${label}`, count);
      bench.run('batch_norm_backward_f32', out, gp, xp, mean, rstd, wp, dweight, dbias, n, c, s, c * s, count);
      expectClose(bench.readF32(out, layout.size), expected.dx, `dx ${label}`, 4 * steep);
      bench.run('batch_norm_backward_eval_f32', out, gp, rstd, wp, n, c, s, c * s);
      expectClose(bench.readF32(out, layout.size), expected.dxEval, `dx in eval mode ${label}`, steep);
    }
  });

  it('leaves out a parameter gradient that nobody wants', () => {
    for (const [kernel, ...shape] of [
      ['layer_norm_backward_params_f32', 4, 6, 6],
      ['batch_norm_backward_params_f32', 4, 6, 1, 6],
      ['batch_norm_backward_params_f32', 2, 6, 2, 12],
    ] as const) {
      bench.reset();
      const [g, x, mean, rstd] = [noise(24, 1), noise(24, 2), noise(6, 3), noise(6, 4)].map((v) => bench.f32(v)) as [
        number,
        number,
        number,
        number,
      ];
      const [dweight, dbias, both, workspace] = [bench.f32(6), bench.f32(6), bench.f32(12), bench.f32(4096)];
      bench.run(kernel, both, both + 24, g, x, mean, rstd, ...shape, workspace);
      bench.run(kernel, dweight, 0, g, x, mean, rstd, ...shape, workspace);
      bench.run(kernel, 0, dbias, g, x, mean, rstd, ...shape, workspace);
      expect([...bench.readF32(dweight, 6), ...bench.readF32(dbias, 6)]).toEqual([...bench.readF32(both, 12)]);
    }
  });

  it('statistics stay accurate far from 0 and over many values', () => {
    for (const [n, c, s] of [
      [1, 1, 200_000],
      [1000, 2, 100],
      [40_000, 5, 1],
    ] as const) {
      bench.reset();
      const x = noise(n * c * s, 1).map((v) => v + 1000);
      const [mean, variance] = [bench.f32(c), bench.f32(c)];
      bench.run('batch_norm_stats_f32', mean, variance, bench.f32(x), n, c, s, c * s, bench.f32(4096));
      const layout = batches(n, c, s);
      const means = gather(layout, 'group', (k) => at(x, k) / (n * s));
      const variances = gather(layout, 'group', (k) => (at(x, k) - at(means, layout.group(k))) ** 2 / (n * s));
      for (let k = 0; k < c; k++) {
        expect(ulps(at(bench.readF32(mean, c), k), at(means, k))).toBeLessThanOrEqual(2);
        expect(Math.abs(at(bench.readF32(variance, c), k) / at(variances, k) - 1)).toBeLessThan(1e-6);
      }
    }
  });

  // The variance is taken about the mean of the first elements, and again where that lies far from the mean of all.
  it.each([
    ['in order of size', (i: number) => i - 500],
    ['far apart in its first block', (i: number) => (i < 128 ? 1000 : Math.sin(i))],
    ['far apart in its last element', (i: number) => (i < 1008 ? Math.sin(i) : 1e6)],
    ['all but equal', (i: number) => 300 + (i % 2) / 1024],
    ['all equal', () => 0.1],
  ])('the statistics of a row %s are as good as any', (_, value) => {
    const cols = 1009;
    bench.reset();
    const x = Float32Array.from({ length: cols }, (_unused, i) => value(i));
    const [out, mean, rstd, variance] = [bench.f32(cols), bench.f32(1), bench.f32(1), bench.f32(1)];
    const expectedMean = x.reduce((sum, v) => sum + v / cols, 0);
    const expected = x.reduce((sum, v) => sum + (v - expectedMean) ** 2 / cols, 0);
    const p = bench.f32(x);
    bench.run('layer_norm_forward_f32', out, mean, rstd, p, 0, 0, 1, cols, EPS, 1);
    expect(ulps(at(bench.readF32(mean, 1), 0), expectedMean)).toBeLessThanOrEqual(2);
    expect(at(bench.readF32(rstd, 1), 0) * Math.sqrt(expected + EPS)).toBeCloseTo(1, 5);
    bench.run('batch_norm_stats_f32', mean, variance, p, 1, 1, cols, cols, bench.f32(4096));
    expect(Math.abs(at(bench.readF32(variance, 1), 0) - expected)).toBeLessThanOrEqual(1e-6 * expected + 1e-14);
  });

  it('batch_norm_update_f32 moves the running statistics by the momentum', () => {
    for (const c of [0, 1, 3, 4, 5, 17]) {
      bench.reset();
      const [rm, rv, m, v] = [noise(c, 1), noise(c, 2), noise(c, 3), noise(c, 4)];
      const [rmp, rvp] = [bench.f32(rm), bench.f32(rv)];
      bench.run('batch_norm_update_f32', rmp, rvp, bench.f32(m), bench.f32(v), c, 0.1, 8 / 7);
      const moved = (old: Float32Array, fresh: Float32Array, factor: number) =>
        Float64Array.from(old, (o, k) => 0.9 * o + 0.1 * factor * at(fresh, k));
      expectClose(bench.readF32(rmp, c), moved(rm, m, 1), 'running mean');
      expectClose(bench.readF32(rvp, c), moved(rv, v, 8 / 7), 'running variance');
    }
  });

  it.each([
    [0, 1 / Math.sqrt(EPS)],
    [1, 1 / Math.sqrt(1 + EPS)],
    [Number.POSITIVE_INFINITY, 0],
    [Number.NaN, Number.NaN],
  ])('rstd_f32 of %d is %d', (variance, expected) => {
    for (const n of [0, 1, 3, 4, 5]) {
      bench.reset();
      const x = bench.f32(Array(n).fill(variance));
      bench.run('rstd_f32', x, x, n, EPS);
      for (const v of bench.readF32(x, n)) expect(ulps(v, expected)).toBeLessThanOrEqual(2);
    }
  });

  it('a NaN spoils its own row or channel and no other', () => {
    bench.reset();
    const x = noise(3 * 5, 1);
    x[7] = Number.NaN;
    const [out, mean, rstd, xp] = [bench.f32(15), bench.f32(5), bench.f32(5), bench.f32(x)];
    bench.run('layer_norm_forward_f32', out, mean, rstd, xp, 0, 0, 3, 5, EPS, 1);
    const rowOf = [...bench.readF32(out, 15)].map((v, k) => [Math.floor(k / 5), Number.isNaN(v)] as const);
    for (const [row, bad] of rowOf) expect(bad).toBe(row === 1);
    bench.run('batch_norm_stats_f32', mean, rstd, xp, 3, 5, 1, 5, bench.f32(4096));
    expect([...bench.readF32(mean, 5)].map(Number.isNaN)).toEqual([false, false, true, false, false]);
    expect([...bench.readF32(rstd, 5)].map(Number.isNaN)).toEqual([false, false, true, false, false]);
  });
});
